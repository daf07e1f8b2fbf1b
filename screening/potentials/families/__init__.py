"""Families of universal potentials, one file each, and the table that lists them.

No network is imported before a family is asked to load one.
"""
