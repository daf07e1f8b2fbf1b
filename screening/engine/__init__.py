"""Relaxations and paths in batches, and the queue and store that compute each task once. Knows atoms, not coatings."""
