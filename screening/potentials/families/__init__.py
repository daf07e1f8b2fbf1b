"""Families of universal potentials, one file each."""
