"""What is computed of a candidate, one entry per property; units, columns, scores, thresholds and help come from it."""
