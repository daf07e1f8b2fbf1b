"""Paths between two minima: saddles, bands and the curves through them."""
