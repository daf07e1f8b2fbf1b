"""Batched relaxation, batched NEB, the record store and the task queue. Knows atoms, not coatings."""
