"""Networks of the packages behind our protocol: what is imported once a potential is loaded."""
