"""Finished jobs become DFT records."""
