"""Adhesion, migration, stability: one property, one file; each yields tasks and returns records."""
