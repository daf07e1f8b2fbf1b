"""From records to the ranking: rows, scores, thresholds, and what DFT changes of it."""
