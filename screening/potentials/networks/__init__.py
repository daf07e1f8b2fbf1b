"""Networks of the packages behind our protocol, imported when a potential is loaded: that takes seconds."""
