"""Tasks computed once: queue, workers, store, checkpoints and progress."""
