"""Distance to the hull, windows and reactions, and the competing phases that they rest on."""
