"""Which sites a candidate's defects may take in a cell, and random choices of them.

Shapes: N atoms of the host cell, M empty octahedra (voids), S = N + M sites in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.chemistry.candidate import Defects
from screening.chemistry.index_lists import INDEX_LISTS, marks
from screening.errors import CandidateFailed

Mask = NDArray[np.bool_] | None
Voids = NDArray[np.float64] | Sequence[Sequence[float]] | None

MIN_GAIN = 1e-4
"""eV; smaller gains are numerical noise between equivalent sites."""


@dataclass(frozen=True, kw_only=True)
class Pools:
    """Sites on which defects may go: atom indices, and fractional coordinates (M, 3) of the voids."""

    cations: dict[str, NDArray[np.int_]]
    li: NDArray[np.int_]
    oxygen: NDArray[np.int_]
    voids: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Sites of every defect: atom indices for each substitution, Li and O vacancies; void indices for interstitials."""

    substitutions: tuple[tuple[int, ...], ...] = ()
    li_vacancies: tuple[int, ...] = ()
    o_vacancies: tuple[int, ...] = ()
    interstitials: tuple[int, ...] = ()


def find_pools(atoms: Atoms, defects: Defects, substitutable: Mask, removable: Mask, voids: Voids) -> Pools:
    """Collect the sites that may change, and refuse a cell that has too few of them."""
    if "oxidation_state" not in atoms.arrays:
        raise ValueError("the atoms carry no oxidation_state array, which orderings are ranked by")
    symbols = np.array(atoms.get_chemical_symbols())
    free = np.ones(len(atoms), dtype=bool)
    if "region" in atoms.arrays:
        free &= atoms.get_array("region") == 1
    for key in INDEX_LISTS:
        free[marks(atoms, key)] = False
    replaceable = free if substitutable is None else free & np.asarray(substitutable, dtype=bool)
    leaving = free if removable is None else free & np.asarray(removable, dtype=bool)
    is_oxygen = symbols == "O"
    given = atoms.info.get("void_sites", []) if voids is None else voids
    pools = Pools(
        cations={s.site: np.flatnonzero(replaceable & (symbols == s.site)) for s in defects.substitutions},
        li=np.flatnonzero(leaving & (symbols == "Li")),
        oxygen=np.flatnonzero((leaving if (leaving & is_oxygen).any() else free) & is_oxygen),
        voids=np.asarray(given, dtype=float).reshape(-1, 3),
    )
    for site, pool in pools.cations.items():
        _require_sites(sum(s.count for s in defects.substitutions if s.site == site), len(pool), f"{site} sites")
    on_li = sum(s.count for s in defects.substitutions if s.site == "Li")
    either = np.union1d(pools.li, pools.cations.get("Li", pools.li))
    _require_sites(defects.li_vacancies, len(pools.li), "removable Li")
    _require_sites(defects.li_vacancies + on_li, len(either), "Li sites for dopants and vacancies together")
    _require_sites(defects.li_interstitials, len(pools.voids), "empty octahedra")
    _require_sites(defects.o_vacancies, len(pools.oxygen), "removable O")
    return pools


def _require_sites(needed: int, available: int, what: str) -> None:
    if needed > available:
        raise CandidateFailed(f"{needed} {what} are needed, but the cell has {available}")


def draw(defects: Defects, pools: Pools, rng: np.random.Generator) -> Choice:
    """Uniformly random sites for every defect."""
    used: set[int] = set()
    substitutions = _draw_substitutions(defects, pools, rng, used)
    return Choice(
        substitutions=substitutions,
        li_vacancies=_pick(_unused(pools.li, used), defects.li_vacancies, rng),
        o_vacancies=_pick(pools.oxygen, defects.o_vacancies, rng),
        interstitials=_pick(np.arange(len(pools.voids)), defects.li_interstitials, rng),
    )


def _draw_substitutions(
    defects: Defects, pools: Pools, rng: np.random.Generator, used: set[int]
) -> tuple[tuple[int, ...], ...]:
    """Random sites of the dopants; `used` collects them. Enough removable Li is left for the Li vacancies."""
    removable = set(pools.li.tolist())
    chosen: list[tuple[int, ...]] = []
    for s in defects.substitutions:
        sites: list[int] = []
        for _ in range(s.count):
            pool = _unused(pools.cations[s.site], used)
            if s.site == "Li" and len(removable - used) <= defects.li_vacancies:
                pool = np.array([i for i in pool if i not in removable], dtype=int)
            _require_sites(1, len(pool), f"more {s.site} sites")
            sites.append(int(rng.choice(pool)))
            used.add(sites[-1])
        chosen.append(tuple(sites))
    return tuple(chosen)


def draw_near(
    defects: Defects, pools: Pools, rng: np.random.Generator, distances: NDArray[np.float64], width: int
) -> Choice:
    """Random dopants, and each compensating defect on one of the `width` free sites nearest to a dopant.

    The dopants take turns as the centre. Of several kinds of dopants, the later ones gather around the first.
    """
    n_atoms = len(distances) - len(pools.voids)
    used: set[int] = set()
    substitutions = list(_draw_substitutions(defects, pools, rng, used))
    for i, s in enumerate(defects.substitutions[1:], start=1):
        if s.site != "Li":  # those on Li share their pool with the vacancies and stay where they were drawn
            used -= set(substitutions[i])
            substitutions[i] = _nearest(pools.cations[s.site], substitutions[0], s.count, rng, distances, width, used)
    centres = tuple(index for sites in substitutions for index in sites)
    if not centres:
        return draw(defects, pools, rng)
    near = [
        _nearest(pool, centres, count, rng, distances, width, used)
        for pool, count in (
            (pools.li, defects.li_vacancies),
            (pools.oxygen, defects.o_vacancies),
            (np.arange(len(pools.voids)) + n_atoms, defects.li_interstitials),
        )
    ]
    return Choice(
        substitutions=tuple(substitutions),
        li_vacancies=near[0],
        o_vacancies=near[1],
        interstitials=tuple(i - n_atoms for i in near[2]),
    )


def _nearest(
    pool: NDArray[np.int_],
    centres: tuple[int, ...],
    count: int,
    rng: np.random.Generator,
    distances: NDArray[np.float64],
    width: int,
    used: set[int],
) -> tuple[int, ...]:
    """`count` unused sites of `pool`, each among the `width` nearest to the next centre; `used` collects them."""
    order = rng.permutation(np.array(centres))
    chosen: list[int] = []
    for number in range(count):
        free = rng.permutation(_unused(pool, used))  # shuffled, so that equal distances do not favour low indices
        ranked = free[np.argsort(distances[order[number % len(order)], free].round(3), kind="stable")]
        chosen.append(int(rng.choice(ranked[:width])))
        used.add(chosen[-1])
    return tuple(chosen)


def _unused(pool: NDArray[np.int_], used: set[int]) -> NDArray[np.int_]:
    return pool[~np.isin(pool, list(used))] if used else pool


def _pick(pool: NDArray[np.int_], count: int, rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(i) for i in rng.choice(pool, size=count, replace=False)) if count else ()


def settle(choice: Choice, pools: Pools, charges: NDArray[np.float64], matrix: NDArray[np.float64]) -> Choice:
    """Move Li and O defects, one at a time and steepest first, until no move to a free site lowers the energy.

    The dopants stay: cations do not move where Li does. `charges` (S,) are those of the choice and `matrix` (S, S)
    is the Ewald matrix. A move swaps the charges of two sites, which changes the energy q.W.q by 2 d.W.q + d.W.d with
    d = (+c, -c) on them.
    """
    q = charges.copy()
    n_atoms = len(q) - len(pools.voids)
    used = {i for sites in choice.substitutions for i in sites}
    groups = [list(choice.li_vacancies), list(choice.o_vacancies), [n_atoms + i for i in choice.interstitials]]
    free = [_unused(pools.li, used), pools.oxygen, n_atoms + np.arange(len(pools.voids))]
    for _ in range(10 * sum(len(g) for g in groups)):
        best: tuple[float, int, int, int] | None = None
        potential = matrix @ q
        for number, (group, pool) in enumerate(zip(groups, free, strict=True)):
            to = pool[~np.isin(pool, group)]
            for position, site in enumerate(group):
                if not len(to):
                    continue
                c = q[to] - q[site]
                gain = 2 * c * (potential[site] - potential[to])
                gain += c**2 * (matrix[site, site] + matrix[to, to] - 2 * matrix[site, to])
                lowest = int(np.argmin(gain))
                if gain[lowest] < (best[0] if best else -MIN_GAIN):
                    best = (float(gain[lowest]), number, position, int(to[lowest]))
        if best is None:
            break
        _, number, position, target = best
        site = groups[number][position]
        q[site], q[target] = q[target], q[site]
        groups[number][position] = target
    return Choice(
        substitutions=choice.substitutions,
        li_vacancies=tuple(groups[0]),
        o_vacancies=tuple(groups[1]),
        interstitials=tuple(i - n_atoms for i in groups[2]),
    )
