"""Fine-tuning of potentials and softening corrections, how they are judged, and their cards."""
