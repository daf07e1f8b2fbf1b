"""Crystals of hosts, cathodes and competing phases, and substitution in them."""
