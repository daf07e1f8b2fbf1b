"""What is taken where nobody says otherwise and several commands ask for the same: each value stands here alone."""

POTENTIAL = "chgnet"
PHASES = "listed"
VOLTAGE = 4.3
"""V vs Li/Li+ at which oxidation is judged."""
DEVICE = "auto"
