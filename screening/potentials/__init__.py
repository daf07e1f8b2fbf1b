"""Universal potentials behind one batched protocol: how they are named, loaded, checked and described."""
