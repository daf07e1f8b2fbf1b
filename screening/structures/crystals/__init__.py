"""Crystals of hosts, cathodes and competing phases, and those that ionic substitution predicts."""
