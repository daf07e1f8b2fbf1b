"""Slabs, interfaces and what is put where in them."""
