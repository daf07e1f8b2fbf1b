"""Tasks computed once: queue, workers, record store, checkpoints, and the lock and progress of a run."""
