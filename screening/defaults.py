"""What is taken where nobody says otherwise and several commands ask for the same: each value stands here alone."""

POTENTIAL = "chgnet"
PHASES = "listed"
VOLTAGE = 4.3
"""V vs Li/Li+ at which oxidation is judged."""
DEVICE = "auto"

VALIDATION = {"vasp": "kim2026", "gpaw": "gpaw-pbe"}
"""Settings of each DFT program."""
DATA = "dft-data"
"""Folder of the training set."""
MODELS_FOLDER = "models"
"""Folder of retrained potentials."""
HELD_OUT = 0.2
"""Share of the frames that a retrained potential is judged by."""
EPOCHS = 30
