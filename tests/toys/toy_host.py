"""A host of one's own beside the shipped ones, as a user would add it: one file in datasets/crystals."""

from pathlib import Path

import pytest

from screening import assets

ANTIMONATE = """\
# The lattice of LiNbO3 with Sb on its framework: a toy, not the crystal that LiSbO3 forms.
formula: LiSbO3
role: host
framework_cation: Sb
empty_octahedra: 1
congruent: true
space_group: R3c
lattice: {a: 5.148, c: 13.863}
sites:
  - {element: Sb, charge: 5, position: [0.0, 0.0, 0.0]}
  - {element: Li, charge: 1, position: [0.0, 0.0, 0.279]}
  - {element: O, charge: -2, position: [0.048, 0.343, 0.0633]}
"""


def put_beside_the_shipped(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Let assets be found in a copy (of links) in which datasets/crystals holds `files` too."""
    crystals = folder / "datasets" / "crystals"
    crystals.mkdir(parents=True)
    for path in assets.asset("datasets", "crystals").iterdir():
        (crystals / path.name).symlink_to(path)
    for path in assets.asset("datasets").iterdir():
        if path.name != "crystals":
            (folder / "datasets" / path.name).symlink_to(path)
    for name in ("configs", "models"):
        (folder / name).symlink_to(assets.asset(name))
    for name, text in files.items():
        (crystals / name).write_text(text)
    monkeypatch.setattr(assets, "_PACKAGE", folder / "screening")
