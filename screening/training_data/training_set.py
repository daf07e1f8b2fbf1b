"""DFT data as a training set: what may be learnt together, and what is held out.

Energies of different methods are different scales, so a set holds one fidelity. What is held out is
chosen by candidate: every composition that one candidate alone has goes with it, any other composition stands for
itself. No composition is ever on both sides, or the errors would say how well the training structures are remembered.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.chemistry.formula import read_formula
from screening.errors import UserError
from screening.fidelity import Fidelity, same_scale, scales_of

logger = logging.getLogger(__name__)

FRAMES = "training.extxyz"
MIN_FRAMES = 30
"""DFT frames below which a network is not fine-tuned."""


@dataclass(frozen=True, kw_only=True)
class LabelledFrame:
    """A structure (without a calculator) and what DFT says of it.

    Attributes
    ----------
    energy
        eV of the whole cell.
    forces
        (N, 3) eV/A.
    stress
        (3, 3) eV/A^3, ASE's sign; None where it was not computed.
    formula
        Reduced formula.
    candidate
        Empty where the calculation belongs to none.
    """

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    formula: str
    candidate: str
    fidelity: str

    def shifted(self, by: float) -> LabelledFrame:
        """The same frame with `by` (eV) taken off its energy."""
        return LabelledFrame(**{**self.__dict__, "energy": self.energy - by})


@dataclass(frozen=True, kw_only=True)
class Split:
    """Frames by their use; groups as in `groups_of`."""

    training: list[LabelledFrame]
    validation: list[LabelledFrame]
    held_out: list[LabelledFrame]
    held_out_groups: list[str]

    @property
    def learnt(self) -> list[LabelledFrame]:
        """Everything that is not held out."""
        return [*self.training, *self.validation]


def usable_frames(
    folders: Sequence[Path], *, fidelity: str | None = None, allow_simulated: bool = False
) -> list[LabelledFrame]:
    """Usable frames of data folders, all of one fidelity (of the one that is named, where it is).

    Charged cells are left out: a universal potential does not know charge, and their energies hold the interaction
    with a neutralising background.

    Raises
    ------
    UserError
        When a folder holds no frames, fidelities differ, or frames come from a potential and that is not allowed.
    """
    frames = [frame for folder in folders for frame in _frames_in(folder)]
    fidelities = _scales(frames)
    if fidelity is not None and fidelities:
        frames = [f for f in frames if same_scale(f.fidelity, fidelity)]
        if not frames:
            raise UserError(f"{_listed(folders)} hold no frames of {fidelity}; there are {', '.join(fidelities)}.")
        fidelities = _scales(frames)
    if len(fidelities) > 1:
        raise UserError(
            f"the data hold several fidelities ({', '.join(fidelities)}), whose energies are different scales; give "
            "--data folders of one, or choose one with --fidelity."
        )
    if not frames:
        raise UserError(f"{_listed(folders)} hold no neutral frame with energy and forces; nothing can be learnt.")
    if Fidelity.parse(fidelities[0]).potential and not allow_simulated:
        raise UserError(
            f"the frames are {fidelities[0]}, a potential's and not DFT's; use --allow-simulated if this is a trial."
        )
    return frames


def fidelity_of(frames: Sequence[LabelledFrame]) -> str:
    """The one fidelity of frames; with ``+u`` where any structure has an element with U."""
    (fidelity,) = _scales(frames)
    return fidelity


def data_versions(folders: Sequence[Path]) -> str:
    """Version of the data: that of each folder's library."""
    from screening.training_data.library import DataLibrary

    return "+".join(DataLibrary(folder).version for folder in folders)


def groups_of(frames: Sequence[LabelledFrame]) -> dict[str, list[int]]:
    """Indices of frames that stay on one side, by the candidate's name or the reduced formula.

    A composition that several candidates share (the cathode's slab, a competing phase) is a group of its own.
    """
    candidates: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        candidates[frame.formula].add(frame.candidate)
    groups: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        (own, *others) = sorted(candidates[frame.formula])
        groups[own if own and not others else frame.formula].append(index)
    return dict(groups)


def split_frames(
    frames: Sequence[LabelledFrame], held_out: float | Sequence[str], *, seed: int, validation: float = 0.15
) -> Split:
    """Hold out whole groups, and set aside some frames of the others for early stopping.

    Parameters
    ----------
    held_out
        Fraction of the frames, or names of groups (candidates or formulas).
    validation
        Fraction of the remaining frames, whatever their group.

    Raises
    ------
    UserError
        When nothing can be held out, or a named group does not exist.
    """
    groups = groups_of(frames)
    if len(groups) < 2:
        raise UserError(
            f"all frames have the composition {frames[0].formula}, so none can be held out; add calculations of others."
        )
    rng = np.random.default_rng(seed)
    if isinstance(held_out, float):
        names = _draw(groups, frames, held_out, rng)
    else:
        names = [_group_named(name, groups) for name in held_out]
    if len(names) >= len(groups):
        raise UserError("every group is held out, nothing is left to learn from; hold out fewer.")
    out = {index for name in names for index in groups[name]}
    rest = {name: members for name, members in groups.items() if name not in names}
    aside = _validation(rest, validation, rng)
    return Split(
        training=[f for i, f in enumerate(frames) if i not in out and i not in aside],
        validation=[f for i, f in enumerate(frames) if i in aside],
        held_out=[f for i, f in enumerate(frames) if i in out],
        held_out_groups=sorted(names),
    )


def reduced_formula(atoms: Atoms) -> str:
    """As pymatgen writes it."""
    from pymatgen.core import Composition

    return str(Composition(Counter(atoms.get_chemical_symbols())).reduced_formula)


def _scales(frames: Sequence[LabelledFrame]) -> list[str]:
    return list(scales_of([f.fidelity for f in frames]).values())


def _frames_in(folder: Path) -> list[LabelledFrame]:
    from ase.io import read

    path = folder / FRAMES
    if not path.is_file():
        raise UserError(f"{folder} is no folder of DFT data: it holds no {FRAMES}; make one with `screen ingest`.")
    if path.stat().st_size == 0:  # calculations without forces leave it so
        return []
    try:
        images = read(path, index=":")
    except Exception as error:  # ASE's reader raises whatever its parsing steps raise
        raise UserError(f"{path} cannot be read as extended XYZ ({error}); ingest the calculations again.") from error
    frames = [frame for atoms in images if (frame := _labelled(atoms, path)) is not None]
    if left_out := len(images) - len(frames):
        logger.warning("%s: %d of %d frames are charged or lack forces and are left out", path, left_out, len(images))
    return frames


def _labelled(atoms: Atoms, path: Path) -> LabelledFrame | None:
    results = {} if atoms.calc is None else atoms.calc.results
    if float(atoms.info.get("charge", 0)) or "energy" not in results or "forces" not in results:
        return None
    if not atoms.info.get("fidelity"):
        raise UserError(f"a frame of {path} does not name its fidelity; ingest it with `screen ingest`.")
    forces = np.asarray(results["forces"], dtype=float)
    if not np.isfinite(forces).all() or not np.isfinite(results["energy"]):
        return None
    stress = atoms.get_stress(voigt=False) if "stress" in results else None
    return LabelledFrame(
        atoms=Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True),
        energy=float(results["energy"]),
        forces=forces,
        stress=stress if stress is not None and np.isfinite(stress).all() else None,
        formula=reduced_formula(atoms),
        candidate=_candidate(atoms),
        fidelity=str(atoms.info["fidelity"]),
    )


def _candidate(atoms: Atoms) -> str:
    """Name of the candidate; ASE reads an empty value as the pair of key and value that follows it."""
    name = atoms.info.get("candidate")
    return name if isinstance(name, str) and "=" not in name else ""


def _draw(
    groups: dict[str, list[int]], frames: Sequence[LabelledFrame], fraction: float, rng: np.random.Generator
) -> list[str]:
    """Groups in random order until the fraction is reached; first those whose elements occur elsewhere, too."""
    wanted = fraction * len(frames)
    elements = {name: {z for i in members for z in frames[i].atoms.numbers} for name, members in groups.items()}
    others = Counter(z for own in elements.values() for z in own)  # groups with an element that are not drawn yet
    names = [sorted(groups)[i] for i in rng.permutation(len(groups))]
    drawn: list[str] = []
    n_frames = 0
    elsewhere = {name: all(others[z] > 1 for z in own) for name, own in elements.items()}
    for name in sorted(names, key=lambda n: not elsewhere[n]):
        fits = n_frames + len(groups[name]) <= max(1.5 * wanted, 1)
        if n_frames < wanted and fits and all(others[z] > 1 for z in elements[name]):
            drawn.append(name)
            others.subtract(elements[name])
            n_frames += len(groups[name])
    return drawn or [min(names, key=lambda n: len(groups[n]))]


def _validation(groups: dict[str, list[int]], fraction: float, rng: np.random.Generator) -> set[int]:
    # frames of all compositions: one or two whole compositions are too few to stand for the others
    members = sorted(i for group in groups.values() for i in group)
    n = max(1, round(fraction * len(members)))
    return {members[i] for i in rng.permutation(len(members))[:n]} if len(members) > n else set()


def _group_named(name: str, groups: dict[str, list[int]]) -> str:
    from pymatgen.core import Composition

    if name in groups:
        return name
    try:
        formula = str(Composition(read_formula(name).composition).reduced_formula)
    except UserError:  # a candidate's name
        formula = ""
    if formula in groups:
        return formula
    raise UserError(f"no frames belong to {name!r}; --held-out takes a fraction or any of {', '.join(sorted(groups))}.")


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))
