"""Paths between two minima: first guesses, saddles, bands, and the barrier that is read from them."""
