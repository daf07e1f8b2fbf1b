"""Migration barriers: hops, their energies, and the best path that percolates."""
