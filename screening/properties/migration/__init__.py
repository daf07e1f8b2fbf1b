"""Migration barriers: energies of the hops of the carrier, the best path that percolates, and their records."""
