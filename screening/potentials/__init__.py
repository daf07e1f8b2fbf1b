"""Universal potentials behind one batched protocol, one file per backend."""
