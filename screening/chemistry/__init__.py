"""What a candidate is: hosts, dopants, sites, compensation, orderings and the grid of candidates.

Knows no potential and runs nothing.
"""
