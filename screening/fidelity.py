"""What a value was computed with, as records, data sets and ``--fidelity`` name it, and which of them share a scale.

The name on disk is one text, taken apart and put together nowhere but here:

- ``mlip:chgnet``, ``mlip:models/NAME``, ``mlip:sevennet-mf-0:PBE``: a potential;
- ``mlip:chgnet-via-vasp``: a potential that played VASP, which nobody may call DFT;
- ``dft:vasp-pbe+u:kim2026``, ``dft:gpaw-pbe:gpaw-pbe``: DFT by program, functional and name of the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

MATERIALS_PROJECT = "mp"
"""Name of the settings whose energies are on the Materials Project's scale."""

_PLAYED = re.compile(r"mlip:(?P<potential>.+)-via-(?P<program>vasp)")
_POTENTIAL = re.compile(r"mlip:(?P<potential>.+)")
_DFT = re.compile(r"dft:(?P<program>[^:-]+)-(?P<functional>[^:]+?)(?P<u>\+u)?:(?P<settings>.+)")


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """What a value was computed with; `str` gives the text that `parse` reads.

    Attributes
    ----------
    potential
        Name of the potential; empty for DFT.
    program
        ``"vasp"``, ``"gpaw"`` or what an extended XYZ file says; empty for a potential that computed for itself.
    functional
        Lower case, without ``+u``.
    with_u
        Whether an element *of the structure* has a U, which says nothing about the settings.
    settings
        Name of the validation settings. It states every U, so VASP with the paper's U and VASP with the Materials
        Project's are two scales.
    other
        The whole text of a name that is none of the above, as other people's files may hold.
    """

    potential: str = ""
    program: str = ""
    functional: str = ""
    with_u: bool = False
    settings: str = ""
    other: str = ""

    def __str__(self) -> str:
        if self.potential:
            return f"mlip:{self.potential}" + (f"-via-{self.program}" if self.program else "")
        if self.program:
            return f"dft:{self.program}-{self.functional}{'+u' if self.with_u else ''}:{self.settings}"
        return self.other

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Fidelity:
        """Inverse of `str`; a text of no known form is kept as `other`."""
        if found := _PLAYED.fullmatch(text):
            return Fidelity(potential=found["potential"], program=found["program"])
        if found := _POTENTIAL.fullmatch(text):
            return Fidelity(potential=found["potential"])
        if found := _DFT.fullmatch(text):
            program, functional, u, settings = found.groups()
            return Fidelity(program=program, functional=functional, with_u=u is not None, settings=settings)
        return Fidelity(other=text)

    @property
    def is_potential(self) -> bool:
        """A potential itself: neither DFT nor what a potential computed in VASP's place."""
        return bool(self.potential) and not self.program

    @property
    def is_dft(self) -> bool:
        return bool(self.program) and not self.potential

    @property
    def is_materials_project(self) -> bool:
        """Uncorrected PBE(+U) energies that pymatgen's MP2020 scheme corrects."""
        return self.is_dft and (self.program, self.settings) == ("vasp", MATERIALS_PROJECT)

    @property
    def scale(self) -> Fidelity:
        """The same without ``+u``; values of one scale may be compared.

        In one set of settings LiNbO3 is ``dft:vasp-pbe:kim2026`` and its interface with a Ni-rich cathode
        ``dft:vasp-pbe+u:kim2026``; the name of the settings tells energy scales apart.
        """
        return replace(self, with_u=False)

    @property
    def label(self) -> str:
        """The text without the word in front, for names of models and files."""
        return str(self).partition(":")[2] or str(self)


def same_scale(one: str, other: str) -> bool:
    """Whether values of two fidelities belong to one set of settings."""
    return Fidelity.parse(one).scale == Fidelity.parse(other).scale


def scales_of(fidelities: Iterable[str]) -> dict[Fidelity, str]:
    """Scale to the fullest name of its fidelities (with ``+u`` where there is one), sorted by name."""
    parsed = [Fidelity.parse(text) for text in fidelities]
    return {f.scale: str(f) for f in sorted(parsed, key=lambda f: (str(f.scale), f.with_u))}
