"""Folders of anybody become calculations: found, read, checked, and kept in a library or as records of a run."""
