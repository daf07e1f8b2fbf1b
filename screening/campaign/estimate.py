"""What a campaign will cost, before it runs: tasks, atoms, force calls and hours per kind of step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from screening.assets import asset
from screening.potentials.registry import built_in_base
from screening.structures.crystals import formula_units, load_crystal
from screening.structures.interface import find_parents

if TYPE_CHECKING:
    from screening.campaign.campaign import Campaign

FALLBACK = "sevennet-l3i5"
CALLS_PER_IMAGE = 3
"""Evaluations of an image of a path that is not the saddle (`engine/climbed_path.py`)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """`tasks` computations of `calls` force calls each on cells of `atoms` atoms."""

    name: str
    tasks: int
    atoms: int
    calls: int

    @property
    def atom_calls(self) -> int:
        return self.tasks * self.atoms * self.calls


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Steps and, where the cost of a call is known (CPU), hours; None on a GPU."""

    steps: list[Step]
    hours: float | None
    basis: str

    @property
    def force_calls(self) -> int:
        return sum(s.tasks * s.calls for s in self.steps)


def estimate(campaign: Campaign) -> Estimate:
    """Count the tasks of a campaign; the interface is built from the reference lattices of host and cathode.

    Raises
    ------
    UserError
        When host and cathode have no match within the caps.
    """
    data = yaml.safe_load(asset("configs", "potentials.yaml").read_text(encoding="utf-8"))
    calls = data["calls"].get(campaign.settings.preset, data["calls"]["standard"])
    steps = _steps(campaign, calls)
    known = data["seconds_per_atom_cpu"]
    name = built_in_base(campaign.settings.potential)  # a retrained potential costs what its base does
    basis = f"{name} measured on one CPU core" if name in known else f"{name} not measured; cost taken from {FALLBACK}"
    hours = None
    if campaign.device == "cpu":
        seconds = sum(s.atom_calls for s in steps) * known.get(name, known[FALLBACK])
        hours = seconds / campaign.workers / 3600
    return Estimate(steps=steps, hours=hours, basis=basis)


def _steps(campaign: Campaign, calls: dict[str, Any]) -> list[Step]:
    settings, n = campaign.settings, len(campaign.grid.candidates)
    host, cathode = load_crystal(settings.host), load_crystal(settings.cathode)
    parent = find_parents(host, cathode, settings.cathode, settings.interface, settings.seed)[0]
    per_fu = len(host) / formula_units(host)
    atoms, coating = len(parent.atoms), round(parent.coating_fu * per_fu)
    adhesion, migration = settings.adhesion, settings.migration
    charged = sum(y < 1 for y in adhesion.soc) * adhesion.vacancy_orders
    placements = adhesion.contact_placements + (adhesion.inner_placements if parent.coating_planes > 2 else 0)
    halves = (1 + charged) * ("half" in adhesion.slab_starts)
    shared = ("cut" in adhesion.slab_starts) + adhesion.n_rattled * ("rattled" in adhesion.slab_starts)
    own = shared + ("search" in adhesion.slab_starts) + ("parent" in adhesion.slab_starts)
    interface = settings.interface
    bands = migration.min_hops if migration.hops == "representative" else migration.max_hops
    cell = round(migration.n_fu * per_fu)
    registry = interface.registry_grid[0] * interface.registry_grid[1] * len(interface.gaps)
    doped = round(settings.bulk.n_fu * per_fu)
    rows = [
        ("doped bulk", n * settings.bulk.n_relaxed, doped, calls["bulk"]),
        ("registry scan", registry, atoms, 1),
        ("parent interface", interface.parent_starts, atoms, calls["parent"]),
        ("hops of the parent", (1 + charged) * adhesion.hop_width * interface.parent_hops, atoms, calls["hop"]),
        ("hops of its coating", adhesion.hop_width * adhesion.slab_hops, coating, calls["hop"]),
        ("placement search", adhesion.rounds * n * placements, atoms + coating, adhesion.prerelax_steps),
        ("interfaces", n * (adhesion.rounds * adhesion.n_full + 2 * charged), atoms, calls["interface"]),
        ("coating slabs", n * (own + halves), coating, calls["slab"]),
        ("substrate slabs", shared * (1 + charged) + n * halves, atoms - coating, calls["slab"]),
        ("hop end points", n * (bands + 1), cell, calls["endpoint"]),
        ("NEB bands", n * bands, cell, calls["climb"] + CALLS_PER_IMAGE * (migration.n_images - 1)),
        ("delithiation", settings.stability.delithiation_sites * n, doped, calls["delithiation"]),
    ]
    return [Step(name=name, tasks=tasks, atoms=size, calls=steps) for name, tasks, size, steps in rows]
