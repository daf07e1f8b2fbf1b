"""What a campaign will cost, before it runs: tasks, atoms, force calls and hours per kind of step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import yaml

from screening.assets import asset
from screening.config import Settings, load_settings
from screening.potentials.families.table import seconds_per_atom
from screening.potentials.registry import built_in_base
from screening.structures.crystals.crystals import formula_units, load_crystal
from screening.structures.interfaces.interface import find_parents

CALLS_PER_IMAGE = 3
"""Evaluations of an image of a path that is not the saddle (`engine/paths/climbed_path.py`)."""
FEWER, MORE = 0.8, 1.25
"""Force calls of a whole run by those that were counted here: what candidates differ in."""
SLOWEST = 3.0
"""Times are measured on an idle core; one job took this much longer on other machines or at other hours."""
CRYSTAL_ATOMS = 30
"""Cells of host and cathode crystal."""

Range = tuple[float, float]


class Stage(IntEnum):
    """Stages of a screen (`campaign/stages/`), in order."""

    CRYSTALS = 1
    PARENT = 2
    SEARCH = 3
    BACK_SUBSTITUTION = 4
    CHARGED_PARENTS = 5
    ADHESION = 6


@dataclass(frozen=True, kw_only=True)
class Step:
    """`tasks` computations of at most about `calls` force calls each on cells of `atoms` atoms.

    Attributes
    ----------
    certain
        False for what is only computed when the search lowers the parent interface.
    """

    name: str
    stage: Stage
    tasks: int
    atoms: int
    calls: int
    certain: bool = True

    @property
    def atom_calls(self) -> int:
        return self.tasks * self.atoms * self.calls


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Steps and, where the cost of a call is known (CPU), hours from and to; None on a GPU."""

    steps: list[Step]
    hours: Range | None
    basis: str

    @property
    def force_calls(self) -> tuple[int, int]:
        """From and to."""
        counted = [(s.tasks * s.calls, s.certain) for s in self.steps]
        low, high = sum(n for n, certain in counted if certain), sum(n for n, _ in counted)
        return _rounded(FEWER * low), _rounded(MORE * high)

    def atom_calls(self, stage: Stage) -> Range:
        """Atoms times force calls of one stage, from and to."""
        mine = [s for s in self.steps if s.stage == stage]
        return FEWER * sum(s.atom_calls for s in mine if s.certain), MORE * sum(s.atom_calls for s in mine)


def _rounded(count: float) -> int:
    """Two digits: more would promise what nobody knows."""
    unit = 10 ** max(0, len(str(int(count))) - 2)
    return round(count / unit) * unit


def estimate(settings: Settings, n_candidates: int, *, device: str, workers: int) -> Estimate:
    """Count the tasks of a campaign; the interface is built, which takes seconds.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``; no time is known on the latter.
    workers
        Engine processes.

    Raises
    ------
    UserError
        When host and cathode have no match within the caps.
    """
    data = yaml.safe_load(asset("configs", "potentials.yaml").read_text(encoding="utf-8"))
    counted = settings.preset if settings.preset in data["calls"] else "standard"
    steps = _steps(settings, n_candidates, _calls(data["calls"][counted], settings, load_settings(counted, None, {})))
    known = seconds_per_atom()
    slowest = max(known, key=known.__getitem__)
    name = built_in_base(settings.potential)  # a retrained potential costs what its base does
    basis = f"{name} measured on one idle CPU core" if name in known else f"{name} not measured; taken for {slowest}"
    hours = None
    if device == "cpu":
        each = known.get(name, known[slowest]) / workers / 3600
        low, high = (sum(ends) for ends in zip(*(_of(steps, stage) for stage in Stage), strict=True))
        hours = (low * each, SLOWEST * high * each)
    return Estimate(steps=steps, hours=hours, basis=basis)


def _of(steps: list[Step], stage: Stage) -> Range:
    return Estimate(steps=steps, hours=None, basis="").atom_calls(stage)


@dataclass(frozen=True, kw_only=True)
class _Sizes:
    """Atoms of the interface, its coating and its cathode slab, of a doped cell and of a cell with a hop."""

    interface: int
    coating: int
    substrate: int
    doped: int
    hop: int
    coating_planes: int


def _sizes(settings: Settings) -> _Sizes:
    host, cathode = load_crystal(settings.host), load_crystal(settings.cathode)
    parent = find_parents(host, cathode, settings.cathode, settings.interface, settings.seed)[0]
    per_fu = len(host) / formula_units(host)
    atoms, coating = len(parent.atoms), round(parent.coating_fu * per_fu)
    return _Sizes(
        interface=atoms,
        coating=coating,
        substrate=atoms - coating,
        doped=round(settings.bulk.n_fu * per_fu),
        hop=round(settings.migration.n_fu * per_fu),
        coating_planes=parent.coating_planes,
    )


def _calls(recorded: dict[str, int], settings: Settings, preset: Settings) -> dict[str, int]:
    """Force calls of one task: what the preset's tasks took, by the forces asked for, and never more than allowed.

    Forces that are half as large take twice the calls, as between quick and standard.
    """
    now, then = (_forces_and_limits(one) for one in (settings, preset))
    calls = {"short": settings.adhesion.prerelax_steps + 1}
    for name, count in recorded.items():
        kind = name if name in now else "adhesion"
        (fmax, limit), (usual, _) = now[kind], then[kind]
        calls[name] = min(max(2, round(count * usual / fmax)), limit + 1)
    return calls


def _forces_and_limits(settings: Settings) -> dict[str, tuple[float, int]]:
    """Force (eV/A) at which each kind of task has converged, and its most steps."""
    adhesion, migration = settings.adhesion, settings.migration
    return {
        "adhesion": (adhesion.fmax, adhesion.max_steps),
        "bulk": (settings.bulk.fmax, settings.bulk.max_steps),
        "endpoint": (migration.endpoint_fmax, migration.endpoint_max_steps),
        "climb": (migration.fmax, migration.max_steps),
        "delithiation": (settings.stability.fmax, settings.stability.max_steps),
    }


def _steps(settings: Settings, n: int, calls: dict[str, int]) -> list[Step]:
    sizes = _sizes(settings)
    return [
        *_parent_steps(settings, sizes, calls, n),
        *_search_steps(settings, sizes, calls, n),
        *_adhesion_steps(settings, sizes, calls, n),
    ]


def _parent_steps(settings: Settings, sizes: _Sizes, calls: dict[str, int], n: int) -> list[Step]:
    interface, adhesion = settings.interface, settings.adhesion
    registry = interface.registry_grid[0] * interface.registry_grid[1] * len(interface.gaps)
    width, at = adhesion.hop_width, Stage.PARENT
    rows = [
        ("doped bulk", n * settings.bulk.n_relaxed, sizes.doped, calls["bulk"]),
        ("registry scan", registry, sizes.interface, 1),
        ("short parents", interface.registry_relaxed, sizes.interface, interface.registry_steps + 1),
        ("parent interface", interface.parent_starts, sizes.interface, calls["parent"]),
        ("hops of the parent", width * interface.parent_hops, sizes.interface, calls["hop"]),
        ("pristine coating", interface.parent_starts + 1, sizes.coating, calls["slab"]),
        ("hops of the coating", width * adhesion.slab_hops, sizes.coating, calls["hop"]),
    ]
    crystals = Step(name="crystals", stage=Stage.CRYSTALS, tasks=2, atoms=CRYSTAL_ATOMS, calls=calls["bulk"])
    return [crystals, *(Step(name=a, stage=at, tasks=b, atoms=c, calls=d) for a, b, c, d in rows)]


def _search_steps(settings: Settings, sizes: _Sizes, calls: dict[str, int], n: int) -> list[Step]:
    """Placements, barriers, stability and back-substitution; the search again in every further round."""
    adhesion, migration = settings.adhesion, settings.migration
    places = adhesion.contact_placements + (adhesion.inner_placements if sizes.coating_planes > 2 else 0)
    bands = migration.min_hops if migration.hops == "representative" else migration.max_hops
    search = [
        ("placements, interface", n * places, sizes.interface, calls["short"]),
        ("placements, coating", n * places, sizes.coating, calls["short"]),
        ("interfaces", n * adhesion.n_full, sizes.interface, calls["interface"]),
    ]
    once = [
        *search,
        ("hop end points", n * (bands + 1), sizes.hop, calls["endpoint"]),
        ("NEB bands", n * bands, sizes.hop, calls["climb"] + CALLS_PER_IMAGE * (migration.n_images - 1)),
        ("delithiation", settings.stability.delithiation_sites * n, sizes.doped, calls["delithiation"]),
    ]
    steps = [Step(name=a, stage=Stage.SEARCH, tasks=b, atoms=c, calls=d) for a, b, c, d in once]
    back = [
        ("back-substitution", n - 1, sizes.interface, calls["short"]),
        ("its best one", min(1, n - 1), sizes.interface, calls["interface"]),
    ]
    for round_ in range(1, adhesion.rounds + 1):
        first = round_ == 1
        steps += [
            Step(
                name=name if first else f"{name} (round {round_})",
                stage=Stage.BACK_SUBSTITUTION,
                tasks=tasks,
                atoms=atoms,
                calls=each,
                certain=first,
            )
            for name, tasks, atoms, each in (back if first else [*search, *back])
        ]
    return steps


def _adhesion_steps(settings: Settings, sizes: _Sizes, calls: dict[str, int], n: int) -> list[Step]:
    adhesion, interface = settings.adhesion, settings.interface
    charged = sum(y < 1 for y in adhesion.soc) * adhesion.vacancy_orders
    halves = (1 + charged) * ("half" in adhesion.slab_starts)
    shared = ("cut" in adhesion.slab_starts) + adhesion.n_rattled * ("rattled" in adhesion.slab_starts)
    own = shared + ("search" in adhesion.slab_starts) + ("parent" in adhesion.slab_starts)
    parents = [
        ("charged parents", charged, calls["parent"]),
        ("hops of charged parents", charged * adhesion.hop_width * interface.parent_hops, calls["hop"]),
    ]
    rows = [
        ("charged interfaces", 2 * charged * n, sizes.interface, calls["interface"]),
        ("coating slabs", n * (own + halves), sizes.coating, calls["slab"]),
        ("substrate slabs", shared * (1 + charged) + n * halves, sizes.substrate, calls["slab"]),
    ]
    return [
        *(Step(name=a, stage=Stage.CHARGED_PARENTS, tasks=b, atoms=sizes.interface, calls=c) for a, b, c in parents),
        *(Step(name=a, stage=Stage.ADHESION, tasks=b, atoms=c, calls=d) for a, b, c, d in rows),
    ]
