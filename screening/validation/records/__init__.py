"""Finished jobs become DFT records: adhesion, barriers and stability as the screen defines them."""
