"""Which calculations validate a candidate, and from which stored structures they start."""
