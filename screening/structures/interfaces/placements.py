"""Where a candidate's defects sit in the coating slab of an interface.

The vacuum-facing plane holds no dopant; `contact` puts the dopants in the plane that touches the cathode, `inner` in
the planes between. Every candidate, the pristine one included, gets the same number of independent starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.geometry import get_distances

from screening.chemistry.arrangements.orderings import Ordering, decorate, ranked_orderings
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.chemistry.compensation import rescale
from screening.errors import CandidateFailed
from screening.flags import flag
from screening.structures.crystals.crystals import formula_units
from screening.structures.hops.voids import octahedral_voids
from screening.structures.interfaces.interface import combine, split

Where = Literal["contact", "inner"]
Mask = npt.NDArray[np.bool_]
RATTLE = 0.05  # A, of the additional starts
_SPILL = flag("dopants_beyond_plane")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One start: an interface with the candidate's defects in it.

    `label` is unique among all placements of a candidate; `ewald_energy` (eV) is that of the coating slab alone, in the
    interface's cell; `flags` holds ``dopants_beyond_plane`` when the chosen plane had too few sites.
    """

    atoms: Atoms
    label: str
    where: Where
    ewald_energy: float
    flags: tuple[str, ...] = ()


def place(
    interface: Atoms, candidate: Candidate, *, where: Where, k: int, n_draws: int, seed: int, rattle: float = RATTLE
) -> list[Placement]:
    """`k` starts of a candidate on the pristine interface.

    Doped: the arrangements of lowest point-charge energy among `n_draws` seeded draws; when symmetry leaves fewer than
    `k` distinct ones, rattled copies of these. Pristine: the interface as built, then by turns a Li of the allowed
    planes moved to the nearest empty octahedron and a rattled copy.

    Parameters
    ----------
    interface
        Pristine interface at y = 1 (arrays ``region``, ``plane``, ``oxidation_state``).
    candidate
        Its counts are rescaled to the formula units of this coating slab.
    where
        ``"contact"`` or ``"inner"``; a slab of two planes has no inner plane and gives an empty list.
    rattle
        Standard deviation of the random displacement of additional starts, A.

    Raises
    ------
    CandidateFailed
        When the allowed planes together have too few sites.
    """
    substrate, coating = split(interface)
    last = int(coating.arrays["plane"].max())
    if where == "inner" and last < 2:
        return []
    scaled = rescale(candidate, formula_units(coating))
    rng = np.random.default_rng([seed, 0 if where == "contact" else 1])
    if scaled.defects.is_empty:
        return _pristine_starts(substrate, coating, where, k, rng, rattle)
    if scaled.is_pristine:  # a congruent host: its own antisites are no dopants and may sit in any plane but the last
        masks = (coating.arrays["plane"] < last, _removable(coating, scaled.defects, last))
        orderings = _rank(coating, scaled.defects, masks, k, n_draws, seed)
        return _placements(substrate, orderings, where, k, (), rng, rattle)
    coating, defects = _with_antisites(coating, scaled, last, np.random.default_rng(seed))
    mask, flags = _dopant_mask(coating, defects, where, last)
    orderings = _rank(coating, defects, (mask, _removable(coating, defects, last)), k, n_draws, seed)
    return _placements(substrate, orderings, where, k, flags, rng, rattle)


def _rank(
    coating: Atoms, defects: Defects, masks: tuple[Mask, Mask], k: int, n_draws: int, seed: int
) -> list[Ordering]:
    voids = _inner_voids(coating, defects.li_interstitials) if defects.li_interstitials else None
    return ranked_orderings(
        coating, defects, k=k, n_draws=n_draws, seed=seed, substitutable=masks[0], removable=masks[1], voids=voids
    )


def _placements(
    substrate: Atoms,
    orderings: list[Ordering],
    where: Where,
    k: int,
    flags: tuple[str, ...],
    rng: np.random.Generator,
    rattle: float,
) -> list[Placement]:
    """One placement per ordering, then rattled copies of them up to `k`."""
    found = [
        Placement(
            atoms=combine(substrate, o.atoms),
            label=f"{where}-{i}-{o.label}",
            where=where,
            ewald_energy=o.ewald_energy,
            flags=flags,
        )
        for i, o in enumerate(orderings)
    ]
    distinct = len(found)
    for i in range(k - distinct):
        first = found[i % distinct]
        found.append(
            replace(first, atoms=rattled(first.atoms, rattle, rng), label=f"{first.label}-rattled{i // distinct}")
        )
    return found


def rattled(atoms: Atoms, amplitude: float, rng: np.random.Generator, *, region: int | None = None) -> Atoms:
    """A copy whose free atoms (of one region, if given) are displaced by normal deviates of `amplitude` (A).

    0.2 A is enough to carry a bulk-cut LiNbO3(110) slab of two planes into its reconstruction, about 2 eV per 16
    formula units lower, which a relaxation from the cut positions never finds; 0.05 A is not (docs/convergence.md).
    """
    copy = atoms.copy()
    step = rng.normal(scale=amplitude, size=(len(copy), 3)) if amplitude > 0 else np.zeros((len(copy), 3))
    if region is not None:
        step[copy.arrays["region"] != region] = 0.0
    copy.set_positions(copy.positions + step, apply_constraint=True)
    return copy


def _pristine_starts(
    substrate: Atoms, coating: Atoms, where: Where, k: int, rng: np.random.Generator, rattle: float
) -> list[Placement]:
    energy = ranked_orderings(coating, Defects(), k=1, n_draws=1, seed=0)[0].ewald_energy
    plane, last = coating.arrays["plane"], int(coating.arrays["plane"].max())
    allowed = plane == 0 if where == "contact" else (plane > 0) & (plane < last)
    lithium = list(rng.permutation(np.flatnonzero(allowed & (coating.numbers == 3))))
    voids = _inner_voids(coating, 1)
    starts: list[Placement] = []
    for i in range(k):
        kind = "as-built" if where == "contact" else "rattled"
        start = coating
        if i and i % 2 and lithium and len(voids):
            start, kind = _li_to_void(coating, int(lithium.pop()), voids), "li-moved"
        elif i:
            kind = "rattled"
        whole = combine(substrate, start)
        if kind != "as-built":
            whole = rattled(whole, rattle, rng)
        starts.append(Placement(atoms=whole, label=f"{where}-{i}-{kind}", where=where, ewald_energy=energy))
    return starts


def _li_to_void(coating: Atoms, index: int, voids: npt.NDArray[Any]) -> Atoms:
    """Move one Li to the nearest empty octahedron."""
    moved = coating.copy()
    delta = voids - coating.get_scaled_positions(wrap=False)[index]
    delta -= np.rint(delta)
    steps = delta @ coating.cell.array
    moved.positions[index] += steps[int(np.argmin(np.linalg.norm(steps, axis=1)))]
    return moved


def _inner_voids(coating: Atoms, needed: int) -> npt.NDArray[Any]:
    """Empty octahedra (fractional) away from the vacuum-facing plane, or all when those are too few.

    An interface built by `find_parents` knows its octahedra, those cut open by the contact included.
    """
    known = coating.info.get("void_sites")
    if known:
        voids = np.array(known, dtype=float)
    else:
        voids = octahedral_voids(coating, exclude=coating.info.get("vacant_li_sites") or None)
    if not len(voids):
        return voids
    plane, last = coating.arrays["plane"], int(coating.arrays["plane"].max())
    distances = get_distances(voids @ coating.cell.array, coating.positions, cell=coating.cell.array, pbc=coating.pbc)[
        1
    ]
    inner = voids[plane[distances.argmin(axis=1)] < last]
    return inner if len(inner) >= needed else voids


def _dopant_mask(coating: Atoms, defects: Defects, where: Where, last: int) -> tuple[Mask, tuple[str, ...]]:
    """Sites that dopants may take: those of the wanted planes, plus the next inner plane while there are too few."""
    plane = coating.arrays["plane"]
    wanted = [0] if where == "contact" else list(range(1, last))
    spare = [p for p in range(last) if p not in wanted]
    mask = np.zeros(len(coating), dtype=bool)
    flags: tuple[str, ...] = ()
    for site, needed in _needed(defects.substitutions).items():
        is_site = np.array(coating.get_chemical_symbols()) == site
        planes = list(wanted)
        for extra in spare:
            if (is_site & np.isin(plane, planes)).sum() >= needed:
                break
            planes.append(extra)
            flags = (_SPILL,)
        chosen = is_site & np.isin(plane, planes)
        if chosen.sum() < needed:
            raise CandidateFailed(
                f"{needed} dopants on {site} do not fit outside the vacuum-facing plane of the coating slab"
            )
        mask |= chosen
    return mask, flags


def _needed(substitutions: Iterable[Substitution]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for s in substitutions:
        counts[s.site] = counts.get(s.site, 0) + s.count
    return counts


def _removable(coating: Atoms, defects: Defects, last: int) -> Mask:
    """Li and O that may leave: not those of the vacuum-facing plane, unless the others are too few."""
    inner = coating.arrays["plane"] < last
    available = int((inner & (coating.numbers == 3)).sum()) - _needed(defects.substitutions).get("Li", 0)
    mask = inner.copy()
    if available < defects.li_vacancies:
        mask |= coating.numbers == 3
    return mask


def _with_antisites(coating: Atoms, candidate: Candidate, last: int, rng: np.random.Generator) -> tuple[Atoms, Defects]:
    """Put in a congruent host's own antisites with their Li vacancies; returns the slab and the defects left."""
    own = tuple(s for s in candidate.defects.substitutions if s not in candidate.dopants)
    if not own:
        return coating, candidate.defects
    vacancies = min(candidate.defects.li_vacancies, sum((s.charge - 1) * s.count for s in own))
    host = Defects(substitutions=own, li_vacancies=vacancies)
    inner = coating.arrays["plane"] < last
    done = decorate(coating, host, rng, substitutable=inner, removable=_removable(coating, host, last))
    rest = replace(
        candidate.defects,
        substitutions=candidate.dopants,
        li_vacancies=candidate.defects.li_vacancies - vacancies,
    )
    return done, rest
