"""Which calculations validate a candidate."""
