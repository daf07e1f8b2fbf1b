"""What a candidate is: hosts, dopants, sites, compensation, arrangements and the grid of candidates.

Knows no potential and runs nothing.
"""
