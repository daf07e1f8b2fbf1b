"""Hops of the carrier: sites, classes, end points and the cells that hold them."""
