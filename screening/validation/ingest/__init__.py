"""Folders of anybody become calculations: found, read, checked, kept."""
