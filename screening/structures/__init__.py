"""What is computed on: crystals, interfaces and hops of the carrier as atoms, and structure files."""
