"""Competing phases that are not in datasets/energies: a user's own pymatgen entries, or the Materials Project.

Both give one phase per composition, the lowest (a hull needs no more), named by its reduced formula, so that a host is
found under the name it has in datasets/phases; the entry's own id is kept as `PhaseEnergy.key`. Energies include the
entries' corrections.
"""
