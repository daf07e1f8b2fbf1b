"""Fine-tuning of potentials and softening corrections, how they are judged, and the cards that come of them."""
