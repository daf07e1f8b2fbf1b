"""Li hops for the NEB benchmark: pristine and doped niobates, and a layered cathode.

The list was fixed before anything was measured on it. Cells are relaxed with the potential under test (cell and atoms);
what a case hands out are the two end points *as cut from the relaxed cell*, so that relaxing them is part of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ase import Atoms

from screening.chemistry.arrangements.orderings import ranked_orderings
from screening.chemistry.candidate import Defects, Substitution
from screening.engine.relax import relax_batch
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.base import Potential
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.hop_classes import plan_hops, symmetry_orbits
from screening.structures.hops.hop_ends import band_ends, endpoint
from screening.structures.hops.hops import Hop, HopNetwork, hop_network
from screening.structures.hops.supercells import isotropic_supercell
from screening.structures.hops.voids import octahedral_voids

CELL_FMAX = 0.03
CAMPAIGN_HOPS = 12
MAX_HOP = 5.6
"""A. The second Li shell of LiNbO3 lies at 5.15 A (CHGNet: 5.2)."""


@dataclass(frozen=True, kw_only=True)
class HopCase:
    """A hop: unrelaxed end points in one atom order, the final positions unwrapped along the hop."""

    name: str
    initial: Atoms
    final: Atoms


@dataclass(frozen=True, kw_only=True)
class _Cell:
    host: str
    n_fu: int
    defects: Defects = Defects()  # noqa: RUF009 - frozen


MG = Defects(substitutions=(Substitution(element="Mg", charge=2, site="Li", count=1),), li_vacancies=1)
ZR_LI = Defects(substitutions=(Substitution(element="Zr", charge=4, site="Li", count=1),), li_vacancies=3)
ZR_NB = Defects(substitutions=(Substitution(element="Zr", charge=4, site="Nb", count=1),), li_interstitials=1)

CELLS = {
    "LiNbO3": _Cell(host="LiNbO3", n_fu=24),
    "LiNbO3-small": _Cell(host="LiNbO3", n_fu=12),
    "Mg-LiNbO3-small": _Cell(host="LiNbO3", n_fu=12, defects=MG),
    "Mg-LiNbO3": _Cell(host="LiNbO3", n_fu=24, defects=MG),
    "Zr-LiNbO3": _Cell(host="LiNbO3", n_fu=24, defects=ZR_LI),
    "Zr_Nb-LiNbO3": _Cell(host="LiNbO3", n_fu=12, defects=ZR_NB),
    "LiTaO3": _Cell(host="LiTaO3", n_fu=12),
    "Li3NbO4": _Cell(host="Li3NbO4", n_fu=8),
    "LiCoO2": _Cell(host="LiCoO2", n_fu=27),
}


def hop_cases(potential: Potential, wanted: str | None = None) -> Iterator[HopCase]:
    """Yield the cases one by one; `wanted` keeps those whose name contains it."""
    for label, cell_name, pick in _PICKS:
        if wanted is not None and wanted not in label:
            continue
        network = cell_network(potential, cell_name)
        yield hop_case(label, network, pick(network))


_networks: dict[tuple[str, str], HopNetwork] = {}


def cell_network(potential: Potential, name: str) -> HopNetwork:
    """Relaxed cell with its hop network; computed once per process."""
    key = (potential.name, name)
    if key not in _networks:
        _networks[key] = hop_network(_relaxed_cell(potential, CELLS[name]), MAX_HOP)
    return _networks[key]


def hop_case(name: str, network: HopNetwork, hop: Hop) -> HopCase:
    initial, final = band_ends(network, hop, endpoint(network, hop.start), endpoint(network, hop.end))
    return HopCase(name=name, initial=initial, final=final)


def _relaxed_cell(potential: Potential, cell: _Cell) -> Atoms:
    host = _relaxed(potential, load_crystal(cell.host))
    supercell = isotropic_supercell(host, cell.n_fu)
    if cell.defects.is_empty:
        return supercell
    voids = octahedral_voids(supercell) if cell.defects.li_interstitials else None
    (ordering,) = ranked_orderings(supercell, cell.defects, k=1, n_draws=60, seed=0, voids=voids)[:1]
    return _relaxed(potential, ordering.atoms)


def _relaxed(potential: Potential, atoms: Atoms) -> Atoms:
    task = RelaxTask(recipe={}, atoms=atoms, cell="full", fmax=CELL_FMAX, max_steps=300)
    (result,) = relax_batch([task], potential, keys=["cell"])
    if not result.converged:
        raise RuntimeError(f"the cell {atoms.symbols} did not relax: {result.failure or result.fmax}")
    return result.atoms


def _by_length(shell: int) -> Callable[[HopNetwork], Hop]:
    """First hop of the n-th shell of distances (shells are 0.3 A apart or more)."""

    def pick(network: HopNetwork) -> Hop:
        hops = sorted(network.hops, key=lambda h: (round(h.distance, 2), h.start, h.end))
        lengths = [h.distance for h in hops]
        starts = [0, *(i for i in range(1, len(hops)) if lengths[i] - lengths[i - 1] > 0.3)]
        return hops[starts[shell]]

    return pick


def _crossing(network: HopNetwork) -> Hop:
    """Shortest hop across the cell boundary."""
    return min((h for h in network.hops if any(h.image)), key=lambda h: (round(h.distance, 2), h.start, h.end))


def from_dopant(nearest: bool) -> Callable[[HopNetwork], Hop]:
    """First-shell hop nearest to the dopant, or farthest from it."""

    def pick(network: HopNetwork) -> Hop:
        shortest = min(h.distance for h in network.hops)
        first = [h for h in network.hops if h.distance < shortest + 0.4 and h.dopant_distance is not None]
        sign = 1 if nearest else -1
        return min(first, key=lambda h: (sign * round(h.dopant_distance or 0.0, 1), h.start, h.end))

    return pick


def _interstitial(kind: str) -> Callable[[HopNetwork], Hop]:
    def pick(network: HopNetwork) -> Hop:
        return min(
            (h for h in network.hops if h.kind == kind and network.home in (h.start, h.end)),
            key=lambda h: (round(h.distance, 2), h.start, h.end),
        )

    return pick


_PICKS: list[tuple[str, str, Callable[[HopNetwork], Hop]]] = [
    ("LiNbO3 first neighbour", "LiNbO3", _by_length(0)),
    ("LiNbO3 second neighbour", "LiNbO3", _by_length(1)),
    ("LiNbO3 across the cell boundary", "LiNbO3-small", _crossing),
    ("Mg-LiNbO3 near Mg", "Mg-LiNbO3", from_dopant(True)),
    ("Mg-LiNbO3 far from Mg", "Mg-LiNbO3", from_dopant(False)),
    ("Zr-LiNbO3 near Zr", "Zr-LiNbO3", from_dopant(True)),
    ("Zr-LiNbO3 far from Zr", "Zr-LiNbO3", from_dopant(False)),
    ("Zr on Nb, Li interstitialcy", "Zr_Nb-LiNbO3", _interstitial("interstitialcy")),
    ("LiTaO3 first neighbour", "LiTaO3", _by_length(0)),
    ("LiTaO3 second neighbour", "LiTaO3", _by_length(1)),
    ("Li3NbO4 first neighbour", "Li3NbO4", _by_length(0)),
    ("Li3NbO4 second neighbour", "Li3NbO4", _by_length(1)),
    ("LiCoO2 first neighbour", "LiCoO2", _by_length(0)),
    ("LiCoO2 across the cell boundary", "LiCoO2", _crossing),
]


@dataclass(frozen=True, kw_only=True)
class CampaignHop:
    """One hop of a network whose end points are shared between hops, by the label of their site."""

    name: str
    network: HopNetwork
    hop: Hop

    def cold(self) -> HopCase:
        """The same hop by itself."""
        return hop_case(self.name, self.network, self.hop)

    def relaxed(self, ends: Mapping[str, Result]) -> tuple[Result, Result]:
        """Both relaxed end points in one atom order."""
        first, last = (ends[self.network.labels[site]] for site in (self.hop.start, self.hop.end))
        initial, final = band_ends(self.network, self.hop, first.atoms, last.atoms)
        return replace(first, atoms=initial), replace(last, atoms=final)


def campaign_cases(potential: Potential) -> tuple[list[CampaignHop], dict[str, Atoms]]:
    """The hops a campaign chooses in the cell with one Mg, and the start of every end point they need, by label."""
    network = cell_network(potential, "Mg-LiNbO3-small")
    plan = plan_hops(network, symmetry_orbits(network), network_wide=True, min_hops=1, max_hops=CAMPAIGN_HOPS)
    hops = []
    for index in (slot[0] for slot in plan):
        hop = network.hops[index]
        name = f"{network.labels[hop.start]} to {network.labels[hop.end]} {hop.image}, {hop.distance:.2f} A"
        hops.append(CampaignHop(name=name, network=network, hop=hop))
    sites = sorted({site for hop in hops for site in (hop.hop.start, hop.hop.end)})
    return hops, {network.labels[site]: endpoint(network, site) for site in sites}
