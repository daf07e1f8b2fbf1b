"""Hops of the carrier: sites, classes of equal hops, end points, and the cells that hold them."""
