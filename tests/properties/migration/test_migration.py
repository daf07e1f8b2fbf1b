"""The migration flow: its assembly on a model with a known answer, and the whole of it on a real potential."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms

from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.config import BulkSettings, MigrationSettings
from screening.engine.flows import Flow
from screening.engine.running.records import PotentialId, Record
from screening.engine.running.run import run_tasks
from screening.engine.tasks import NebTask, RelaxTask, Result, Task, recipe_key
from screening.potentials.registry import load_potential
from screening.properties.bulk import Crystal, DopedBulk
from screening.properties.context import ScreeningContext
from screening.properties.migration.migration import migration_flow, reject_reason
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.hops import hop_network
from screening.structures.hops.supercells import isotropic_supercell

POTENTIAL_ID = PotentialId("model", "0" * 64)
CONTEXT = ScreeningContext(potential_id=POTENTIAL_ID, corrections="own-hull", seed=0)
SETTINGS = MigrationSettings(min_image_distance=8.0, n_fu=12, hops="network", max_hops=6, n_images=3)

Answer = Callable[[Task], Result]


def drive(flow: Flow[list[Record]], answer: Answer) -> tuple[list[Record], list[list[Task]]]:
    """Run a flow; the records and what it asked for in each round."""
    rounds: list[list[Task]] = []
    results: list[Result] | None = None
    while True:
        try:
            tasks = flow.send(results)
        except StopIteration as stop:
            return stop.value, rounds
        rounds.append(tasks)
        results = [answer(task) for task in tasks]


def result(task: Task, energy: float, **fields: object) -> Result:
    atoms = task.atoms if isinstance(task, RelaxTask) else task.initial
    base = {"fmax": 0.01, "converged": True, "n_steps": 3, "n_force_calls": 4, "wall_s": 0.1}
    return Result(key=recipe_key(task, "0"), atoms=atoms.copy(), energy=energy, **(base | fields))  # type: ignore[arg-type]


def bulk_of(atoms: Atoms, candidate: Candidate) -> DopedBulk:
    task = RelaxTask(recipe={"step": "bulk"}, atoms=atoms)
    return DopedBulk(candidate=candidate, result=result(task, 0.0))


@pytest.fixture(scope="module")
def pristine() -> DopedBulk:
    return bulk_of(isotropic_supercell(load_crystal("LiNbO3"), 12), Candidate(host="LiNbO3", n_fu=12))


@pytest.fixture(scope="module")
def magnesium() -> DopedBulk:
    atoms = isotropic_supercell(load_crystal("LiNbO3"), 12)
    lithium = [i for i, s in enumerate(atoms.symbols) if s == "Li"]
    atoms.symbols[lithium[0]] = "Mg"
    atoms.info["vacant_li_sites"] = [atoms.get_scaled_positions()[lithium[3]].tolist()]
    atoms.info["dopant_indices"] = [lithium[0]]
    del atoms[lithium[3]]
    defects = Defects(substitutions=(Substitution(element="Mg", charge=2, site="Li", count=1),), li_vacancies=1)
    candidate = Candidate(host="LiNbO3", n_fu=12, defects=defects, compensation="li_vacancy", x_requested=1 / 12)
    return bulk_of(atoms, candidate)


@pytest.fixture(scope="module")
def excess() -> DopedBulk:
    from screening.structures.hops.voids import octahedral_voids

    host = isotropic_supercell(load_crystal("LiNbO3"), 12)
    voids = octahedral_voids(host)
    atoms = host + Atoms("Li", positions=[voids[0] @ host.cell.array])
    atoms.info = {"void_sites": voids[1:].tolist(), "interstitial_indices": [len(atoms) - 1]}
    return bulk_of(atoms, Candidate(host="LiNbO3", n_fu=12))


def host_of(bulk: DopedBulk) -> Crystal:
    """A host that no flow here has to fall back on: the doped cell is large enough for the barrier."""
    return Crystal(name="LiNbO3", atoms=bulk.result.atoms, energy_fu=0.0, result=bulk.result)


def run(
    bulk: DopedBulk, answer: Answer, settings: MigrationSettings = SETTINGS
) -> tuple[list[Record], list[list[Task]]]:
    flow = migration_flow(bulk.candidate, bulk, host_of(bulk), settings, BulkSettings(), CONTEXT)
    return drive(flow, answer)


class Model:
    """A crystal in which every hop has the same kinetically resolved activation and the Mg binds the vacancy.

    A site costs `binding` less when the vacancy is next to Mg; its barrier is then exactly `kra` plus what the
    difference of the sites adds: escape from a bound site over the last hop that leaves the bound region.
    """

    def __init__(self, bulk: DopedBulk, kra: float, binding: float = 0.0) -> None:
        self.kra, self.binding = kra, binding
        network = hop_network(bulk.result.atoms, SETTINGS.max_hop_distance)
        dopants = bulk.result.atoms.info.get("dopant_indices", [])
        self.bound = set()
        for site, label in enumerate(network.labels):
            point = network.sites[site] @ network.cell.cell.array
            probe = network.cell + Atoms("H", positions=[point])
            if dopants and probe.get_distances(len(probe) - 1, dopants, mic=True).min() < 4.5:
                self.bound.add(label)

    def site(self, label: str) -> float:
        return -self.binding if label in self.bound else 0.0

    def __call__(self, task: Task) -> Result:
        if isinstance(task, RelaxTask):
            return result(task, self.site(task.recipe["site"]))
        first, last = task.initial_energy, task.final_energy
        top = self.kra + (first + last) / 2
        energies = [first, (first + top) / 2, top, (last + top) / 2, last]
        return result(task, top, image_energies=energies)


def by_name(records: list[Record]) -> dict[str, Record]:
    return {r.property: r for r in records}


def test_pristine_barrier_is_the_activation_and_only_distinct_hops_are_computed(pristine: DopedBulk):
    records, rounds = run(pristine, Model(pristine, kra=0.9))
    found = by_name(records)
    assert set(found) == {"migration_barrier", "migration_barrier_1d", "lowest_hop_barrier"}
    for record in records:
        assert record.value == pytest.approx(0.9)
        assert record.converged
        assert record.unit == "eV"
        assert "carrier_made" in record.flags
        assert "network_partial" not in record.flags  # all other hops follow by symmetry
        assert json.loads(json.dumps(record.to_dict()))["details"]["carrier_source"] == "made"
    assert found["migration_barrier"].interval is None  # both directions agree: one sample
    assert [type(t) for t in rounds[1]] == [NebTask, NebTask]
    assert len(rounds) == 2  # all end points at once, then all bands at once
    assert len(rounds[0]) == 3  # two hops share an end point


def test_binding_to_the_dopant_adds_to_the_barrier(magnesium: DopedBulk):
    """Bound sites touch free ones, so leaving costs KRA + binding/2 at the saddle, KRA + binding from the bound site
    when the way on between free sites is the highest saddle."""
    records, _ = run(magnesium, Model(magnesium, kra=0.8, binding=0.2))
    found = by_name(records)
    barrier = found["migration_barrier"]
    assert barrier.details["mechanism"] == "vacancy"
    assert barrier.details["carrier_source"] == "compensating"
    assert "network_partial" in barrier.flags
    assert 0.8 + 0.2 / 2 - 1e-9 <= barrier.value <= 0.8 + 0.2 + 1e-9
    assert found["migration_barrier_1d"].value <= barrier.value + 1e-12
    assert found["lowest_hop_barrier"].value <= found["migration_barrier_1d"].value + 1e-12
    low, high = barrier.interval or (barrier.value, barrier.value)
    assert low <= barrier.value <= high
    assert barrier.details["x_barrier"] == pytest.approx(1 / 12)


def test_end_point_at_home_is_the_bulk_itself(magnesium: DopedBulk):
    _, rounds = run(magnesium, Model(magnesium, kra=0.8))
    assert all(task.recipe["site"] != "V0" for task in rounds[0])
    parents = {key for task in rounds[1] for key in task.recipe["parents"]}
    assert magnesium.result.key in parents
    rough = DopedBulk(candidate=magnesium.candidate, result=result(rounds[0][0], 0.0, fmax=0.5))
    rough.result.atoms = magnesium.result.atoms.copy()
    _, again = run(rough, Model(magnesium, kra=0.8))
    assert "V0" in {task.recipe["site"] for task in again[0]}  # too rough: relaxed like the others


@pytest.mark.parametrize("bulk", ["pristine", "magnesium", "excess"])
def test_every_task_has_its_own_recipe_and_bands_have_one_atom_order(bulk: str, request: pytest.FixtureRequest):
    doped = request.getfixturevalue(bulk)
    _, rounds = run(doped, Model(doped, kra=0.8))
    keys = [recipe_key(task, "0") for tasks in rounds for task in tasks]
    assert len(set(keys)) == len(keys)
    for task in rounds[-1]:
        np.testing.assert_array_equal(task.initial.numbers, task.final.numbers)
        moved = np.linalg.norm(task.final.positions - task.initial.positions, axis=1)
        assert 1 <= (moved > 1e-6).sum() <= 2


def test_interstitials_move_and_nothing_is_removed(excess: DopedBulk):
    records, rounds = run(excess, Model(excess, kra=0.4))
    assert {len(task.atoms) for task in rounds[0]} == {61}
    kinds = {hop["kind"] for hop in records[0].details["hops"]}
    assert kinds == {"interstitial", "interstitialcy"}
    assert "carrier_made" not in records[0].flags
    assert records[0].value == pytest.approx(0.4)


def test_collapsed_end_point_gives_way_to_another_hop_of_its_class(magnesium: DopedBulk):
    model = Model(magnesium, kra=0.8)
    quick = SETTINGS.model_copy(update={"hops": "representative"})
    _, rounds = run(magnesium, model, quick)
    victim = rounds[0][0].recipe["site"]

    def answer(task: Task) -> Result:
        found = model(task)
        if isinstance(task, RelaxTask) and task.recipe["site"] == victim:
            found.atoms = magnesium.result.atoms.copy()  # the vacancy fell back to where it came from
        return found

    records, rounds = run(magnesium, answer, quick)
    details = records[0].details
    assert len(details["hops"]) == 2
    assert all(victim not in (hop["from"], hop["to"]) for hop in details["hops"])
    assert any("moved" in drop["reason"] for drop in details["dropped_hops"])
    assert records[0].value == pytest.approx(0.8)


def test_failed_and_unconverged_bands(magnesium: DopedBulk):
    model = Model(magnesium, kra=0.8)
    count = 0

    def answer(task: Task) -> Result:
        nonlocal count
        found = model(task)
        if isinstance(task, NebTask):
            count += 1
            if count == 1:
                found.failure = "NaN forces"
            if count == 2:
                found.converged = False
        return found

    records, _ = run(magnesium, answer)
    assert records[0].value == pytest.approx(0.8)
    assert not records[0].converged
    hops = records[0].details["hops"]
    assert [hop["used"] for hop in hops] == [False] + [True] * (len(hops) - 1)
    assert hops[0]["note"] == "NaN forces"


def test_no_band_at_all_is_a_failure_with_its_reason(pristine: DopedBulk):
    def answer(task: Task) -> Result:
        return result(task, 0.0, failure="exploded" if isinstance(task, NebTask) else None)

    records, _ = run(pristine, answer)
    assert [r.value for r in records] == [None] * 3
    assert all(not r.converged and "exploded" in (r.failure or "") for r in records)


def test_network_that_does_not_percolate_has_no_value(magnesium: DopedBulk):
    """With all but two neighbouring Li sites blocked by dopants the vacancy only goes back and forth."""
    atoms = magnesium.result.atoms.copy()
    network = hop_network(atoms, 4.2)
    hop = next(h for h in network.hops if h.start == network.home)
    for occupant in network.occupants:
        if occupant not in (-1, network.occupants[hop.end]):
            atoms.symbols[occupant] = "Mg"
    bulk = bulk_of(atoms, magnesium.candidate)
    records, _ = run(bulk, Model(bulk, kra=0.8))
    found = by_name(records)
    assert found["lowest_hop_barrier"].value == pytest.approx(0.8)
    barrier = found["migration_barrier"]
    assert barrier.value is None
    assert "not_percolating_3d" in barrier.flags
    assert barrier.failure is None


def test_flags_of_cell_and_content(magnesium: DopedBulk):
    far = SETTINGS.model_copy(update={"min_image_distance": 20.0})
    records, _ = run(magnesium, Model(magnesium, kra=0.8), far)
    assert "small_barrier_cell" in records[0].flags
    assert "x_barrier_off" not in records[0].flags
    other = magnesium.candidate.with_defects(magnesium.candidate.defects, 12)
    off = DopedBulk(candidate=other, result=magnesium.result)
    flow = migration_flow(
        Candidate(host="LiNbO3", n_fu=12, defects=other.defects, compensation="li_vacancy", x_requested=0.15),
        off, host_of(magnesium), SETTINGS, BulkSettings(), CONTEXT,
    )  # fmt: skip
    records, _ = drive(flow, Model(magnesium, kra=0.8))
    assert "x_barrier_off" in records[0].flags


def band(energies: list[float]) -> Result:
    return result(RelaxTask(recipe={}, atoms=Atoms("Li")), max(energies), image_energies=energies)


@pytest.mark.parametrize(
    ("energies", "words"),
    [
        ([0.0, 0.5, 0.1], None),
        ([0.0, -0.2, 0.3], "above both"),
        ([0.4, 0.2, 0.0], "above both"),
        ([0.0, 8117.0, 0.0], "another atom"),
        ([0.0, float("nan"), 0.0], "finite"),
    ],
)
def test_nonsense_barriers_are_refused(energies: list[float], words: str | None):
    reason = reject_reason(band(energies))
    assert reason is None if words is None else words in (reason or "")


def test_real_vacancy_barrier_of_lithium_niobate():
    """A 30-atom cell, CHGNet, one intermediate image: equal end points, and a barrier of the known size.

    The published barrier is 1.33 eV (PBE+U, doi:10.1016/j.ensm.2026.105167); universal potentials are too soft.
    """
    potential = load_potential("chgnet", "cpu", self_check=False)
    host = load_crystal("LiNbO3")
    host.set_cell(host.cell.array * (14.116 / host.cell.lengths()[2]), scale_atoms=True)

    def answer(task: Task) -> Result:
        return run_tasks([task], [recipe_key(task, potential.checkpoint_sha256)], potential, None)[0]

    (relaxed,) = [answer(RelaxTask(recipe={}, atoms=isotropic_supercell(host, 6), fmax=0.1, max_steps=60))]
    candidate = Candidate(host="LiNbO3", n_fu=6)
    settings = MigrationSettings(
        n_fu=6, hops="representative", n_images=1, fmax=0.15, endpoint_fmax=0.15, max_steps=60, endpoint_max_steps=60
    )
    bulk = DopedBulk(candidate=candidate, result=relaxed)
    records, _ = run(bulk, answer, settings)
    found = by_name(records)
    assert 0.3 < found["migration_barrier"].value < 2.5
    for hop in found["migration_barrier"].details["hops"]:
        assert hop["converged"], hop
        assert hop["forward"] == pytest.approx(hop["backward"], abs=0.05)
    assert "small_barrier_cell" in found["migration_barrier"].flags
    assert found["migration_barrier"].n_force_calls > 10
