"""Adhesion: signs and zero, the two maps between parent and placement, pooled references and intervals."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from screening.chemistry.candidate import Candidate
from screening.chemistry.grid import enumerate_candidates
from screening.config import AdhesionSettings, load_settings
from screening.engine.running.records import PotentialId, Record
from screening.engine.tasks import RelaxTask, Result
from screening.potentials.registry import load_potential
from screening.properties.adhesion.adhesion import adhesion_flow
from screening.properties.adhesion.parent import EV_PER_A2, ParentInterface
from screening.properties.adhesion.placement_search import (
    back_substitute,
    carry_over,
    discharged,
    draw_placements,
    short_trials,
)
from screening.properties.adhesion.records import BulkEnergies, adhesion_records, pooled_substrates
from screening.properties.adhesion.types import AdhesionOutcome, ChargeState, PlacementSearch, Trial
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.cathode import delithiate
from screening.structures.interfaces.interface import Parent, find_parents, pull_apart, shift, split

SETTINGS = AdhesionSettings(soc=[1.0, 1 / 3], contact_placements=2, vacancy_orders=2, n_draws=4, n_bootstrap=200)
POTENTIAL_ID = PotentialId("test", "0" * 64)


@pytest.fixture(scope="module")
def geometry() -> Parent:
    interface = load_settings("quick", None, {}).interface
    return find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", interface, 0)[0]


@pytest.fixture(scope="module")
def parent(geometry: Parent) -> ParentInterface:
    """A parent whose relaxation is a known displacement."""
    cut = geometry.atoms.copy()
    cut.set_array("parent_index", np.arange(1, len(cut) + 1))
    relaxed = cut.copy()
    step = np.random.default_rng(3).normal(scale=0.05, size=(len(cut), 3))
    relaxed.set_positions(cut.positions + step, apply_constraint=False)
    return ParentInterface(
        cut=cut, relaxed=relaxed, geometry=geometry, result=result("parent", relaxed, 0.0),
        coating=result("coating", split(relaxed)[1], 0.0), registry=(0, 0), gap=2.0,
    )  # fmt: skip


def result(key: str, atoms: Atoms, energy: float, *, converged: bool = True, failure: str | None = None) -> Result:
    return Result(
        key=key, atoms=atoms, energy=energy, fmax=0.01, converged=converged, n_steps=1, n_force_calls=2, wall_s=0.1,
        failure=failure,
    )  # fmt: skip


def candidate(name: str) -> Candidate:
    grid = enumerate_candidates("Mg,Zr,Ta", "0-0.25")
    return next(c for c in grid.candidates if c.name == name)


def test_slabs_pulled_15_a_apart_do_not_feel_each_other(geometry: Parent) -> None:
    apart = pull_apart(geometry.atoms, 15.0)
    substrate, coating = split(apart)
    potential = load_potential("chgnet", "cpu", self_check=False)
    whole, left, right = (e.energy for e in potential.evaluate([apart, substrate, coating]))
    assert whole - left - right == pytest.approx(0.0, abs=1e-3)
    # rigid slabs at the registry and gap that the scan of the quick preset finds
    (bound,) = potential.evaluate([shift(geometry.atoms, 1 / 3, 2 / 3, 2.0)])
    assert bound.energy - left - right < -1.0, "negative = bound"


@pytest.mark.parametrize("name", ["Mg_Li-vLi-2of12", "Zr_Nb-iLi-1of12", "Ta_Nb-iso-1of12"])
def test_a_placement_moves_onto_the_relaxed_parent(name: str, parent: ParentInterface) -> None:
    (placement, *_) = draw_placements(candidate(name), parent, SETTINGS, seed=0)
    start = carry_over(placement.atoms, parent.cut, parent.relaxed)
    index = start.arrays["parent_index"]
    known = index > 0
    np.testing.assert_allclose(start.positions[known], parent.relaxed.positions[index[known] - 1], atol=1e-9)
    assert np.all(start.arrays["region"][~known] == 1)
    moved = np.linalg.norm(start.positions - placement.atoms.positions, axis=1)
    assert moved[~known].max(initial=0.0) < 0.2, "an inserted atom follows the mean of its neighbours"
    assert start.arrays["oxidation_state"].sum() == 0


@pytest.mark.parametrize("name", ["Mg_Li-vLi-2of12", "Zr_Nb-iLi-1of12"])
def test_back_substitution_gives_the_pristine_composition_on_the_doped_positions(
    name: str, parent: ParentInterface
) -> None:
    (placement, *_) = draw_placements(candidate(name), parent, SETTINGS, seed=0)
    start = discharged(carry_over(placement.atoms, parent.cut, parent.relaxed), seed=0)
    relaxed = start.copy()
    relaxed.set_positions(start.positions + 0.1, apply_constraint=False)
    pristine = back_substitute(relaxed, parent)
    assert pristine.get_chemical_formula() == parent.cut.get_chemical_formula()
    index = relaxed.arrays["parent_index"]
    kept = index[index > 0] - 1
    np.testing.assert_allclose(pristine.positions[kept], relaxed.positions[index > 0])
    filled = np.setdiff1d(np.arange(len(pristine)), kept)
    np.testing.assert_allclose(pristine.positions[filled], parent.relaxed.positions[filled])


def test_a_charged_interface_also_starts_from_the_charged_parent_and_the_lower_counts(parent: ParentInterface) -> None:
    settings = SETTINGS.model_copy(update={"vacancy_orders": 1, "slab_starts": ["cut"]})
    (placement, *_) = draw_placements(candidate("Ta_Nb-iso-1of12"), parent, settings, seed=0)
    start = discharged(carry_over(placement.atoms, parent.cut, parent.relaxed), seed=0)
    short, coating = result("short", start, -100.0), result("c-short", split(start)[1], -40.0)
    trial = Trial(label="a", where="contact", cut=placement.atoms, interface=short, coating=coating)
    doped = candidate("Ta_Nb-iso-1of12")
    search = PlacementSearch(
        candidate=doped, realised=doped, trials=[trial], winner=0, relaxed=result("y1", start, -100.0)
    )
    charged = delithiate(parent.cut, 1 / 3, order=0, seed=0)
    step = np.random.default_rng(5).normal(scale=0.3, size=(len(charged), 3))
    charged.set_positions(charged.positions + step, apply_constraint=False)
    parents = {(1 / 3, 0): result("charged", charged, -90.0)}

    flow = adhesion_flow(search, parent, settings, seed=0, charged_parents=parents)
    own, inherited, *slabs = next(flow)
    assert len(own.atoms) == len(inherited.atoms) == len(charged)
    np.testing.assert_allclose(inherited.atoms.positions, charged.positions, atol=1e-9)
    assert "Ta" in inherited.atoms.get_chemical_symbols()
    answers = [result("own", own.atoms, -91.0), result("inherited", inherited.atoms, -92.0)]
    answers += [result(f"slab {n}", task.atoms, -45.0) for n, task in enumerate(slabs)]
    with pytest.raises(StopIteration) as end:
        flow.send(answers)
    discharged_state, charged_state = end.value.value.states
    assert discharged_state.interface.energy == -100.0
    assert charged_state.interface.energy == -92.0
    assert charged_state.y_realised == pytest.approx(1 / 3, abs=0.05)


def outcome(
    parent: ParentInterface, interfaces: dict[float, list[float]], substrate: float, tag: str
) -> AdhesionOutcome:
    """A pristine outcome with given interface energies per y and order; coating slabs at -40 and -41 eV."""
    (placement, *_) = draw_placements(candidate("LiNbO3"), parent, SETTINGS, seed=0)
    start = discharged(carry_over(placement.atoms, parent.cut, parent.relaxed), seed=0)
    trial = Trial(
        label="a", where="contact", cut=placement.atoms,
        interface=result("short", start, -100.0), coating=result("c-short", split(start)[1], -40.5),
    )  # fmt: skip
    states = []
    for y, energies in interfaces.items():
        for order, energy in enumerate(energies):
            atoms = delithiate(start, y, order=order, seed=0)
            slab = result(f"{tag}-sub-{y:.2f}-{order}", split(atoms)[0], substrate)
            relaxed = result(f"i-{y:.2f}-{order}", atoms, energy)
            states.append(ChargeState(y=y, order=order, cut=atoms, interface=relaxed, substrates={"cut": slab}))
    coatings = {"cut": result("c1", split(start)[1], -40.0), "half": result("c2", split(start)[1], -41.0)}
    host = candidate("LiNbO3")
    search = PlacementSearch(candidate=host, realised=host, trials=[trial], winner=0, relaxed=states[0].interface)
    equilibrium = {"other": result("c3", split(start)[1], -41.5)}
    return AdhesionOutcome(search=search, states=states, coatings=coatings, equilibrium=equilibrium)


def records_of(found: AdhesionOutcome, pool: dict[tuple[float, int], Result], parent: ParentInterface) -> list[Record]:
    bulk = BulkEnergies(host_fu=-40.0, per_dopant=None, cathode_fu=None)
    return adhesion_records(
        found, pool, parent, SETTINGS, bulk=bulk, potential_id=POTENTIAL_ID, x_requested=0.0, seed=0
    )


def value(records: list[Record], prop: str, y: float) -> Record:
    return next(r for r in records if r.property == prop and r.details["y"] == pytest.approx(y))


def test_records_follow_the_definition_with_the_lowest_references(parent: ParentInterface) -> None:
    first = outcome(parent, {1.0: [-100.0], 1 / 3: [-95.0, -97.0]}, -50.0, "first")
    second = outcome(parent, {1.0: [-100.0], 1 / 3: [-95.0, -97.0]}, -51.0, "second")
    pool = pooled_substrates([first, second])
    records = records_of(first, pool, parent)
    # E(interface) - lowest substrate (-51, of the other candidate) - lowest coating (-41)
    assert value(records, "adhesion_energy", 1.0).value == pytest.approx(-100 + 51 + 41)
    assert value(records, "adhesion_energy", 1 / 3).value == pytest.approx((-95 - 97) / 2 + 51 + 41)
    work = value(records, "work_of_adhesion", 1.0)
    assert work.value == pytest.approx(8.0 / parent.area * EV_PER_A2)
    # against the lowest arrangement of the coating slab (-41.5) the bond is weaker by half an eV
    assert value(records, "work_of_adhesion_eq", 1.0).value == pytest.approx(7.5 / parent.area * EV_PER_A2)
    assert work.converged
    assert "thin_slab" in work.flags


def test_intervals_hold_the_value_and_the_spread_of_the_vacancy_orders(parent: ParentInterface) -> None:
    found = outcome(parent, {1.0: [-100.0], 1 / 3: [-95.0, -97.0]}, -50.0, "only")
    records = records_of(found, pooled_substrates([found]), parent)
    single, spread = (value(records, "adhesion_energy", y) for y in (1.0, 1 / 3))
    assert single.interval == pytest.approx((single.value, single.value)), "one placement, one order: no spread"
    assert spread.interval is not None
    assert spread.value is not None
    assert spread.interval == pytest.approx((spread.value - 1, spread.value + 1))
    work = value(records, "work_of_adhesion", 1 / 3)
    assert work.interval is not None
    assert work.interval[0] < work.interval[1]


def test_an_unconverged_part_makes_the_record_unconverged(parent: ParentInterface) -> None:
    found = outcome(parent, {1.0: [-100.0], 1 / 3: [-95.0, -97.0]}, -50.0, "only")
    found.states[0].interface = replace(found.states[0].interface, converged=False)
    records = records_of(found, pooled_substrates([found]), parent)
    assert not value(records, "work_of_adhesion", 1.0).converged
    assert value(records, "work_of_adhesion", 1 / 3).converged


def test_a_failed_state_is_a_record_with_its_reason(parent: ParentInterface) -> None:
    found = outcome(parent, {1.0: [-100.0], 1 / 3: [-95.0]}, -50.0, "only")
    found.states[1].interface = replace(found.states[1].interface, failure="the cell exploded")
    record = value(records_of(found, pooled_substrates([found]), parent), "work_of_adhesion", 1 / 3)
    assert record.value is None
    assert record.failure == "the cell exploded"
    assert not record.converged


def test_merged_searches_keep_all_trials_and_the_lower_interface(parent: ParentInterface) -> None:
    found = outcome(parent, {1.0: [-100.0]}, -50.0, "only").search
    lower = replace(found, relaxed=result("lower", found.relaxed.atoms, -101.0))
    for merged in (found.merged(lower), lower.merged(found)):
        assert merged.relaxed.energy == -101.0
        assert len(merged.trials) == 2
    assert found.merged(lower).winner == 1
    assert lower.merged(found).winner == 0


def race(energies: list[float], parent: ParentInterface, settings: AdhesionSettings) -> tuple[list[Trial], list[int]]:
    """Trials of as many placements as there are energies after the first leg, and the steps of all interface tasks.

    Every second leg gains 3 eV.
    """
    placements = draw_placements(candidate("Mg_Li-vLi-1of12"), parent, settings, seed=0)[: len(energies)]
    starts = [carry_over(p.atoms, parent.cut, parent.relaxed) for p in placements]
    flow = short_trials(placements, starts, {"candidate": "toy"}, settings)
    after = {placement.label: energy for placement, energy in zip(placements, energies, strict=True)}
    tasks, steps = next(flow), []
    while True:
        answers = []
        for task in tasks:
            assert isinstance(task, RelaxTask)
            label, interface = task.recipe["placement"], task.recipe["step"].endswith("interface")
            steps += [task.max_steps] if interface else []
            energy = after[label] - (3.0 if "parents" in task.recipe else 0.0)
            answers.append(result(f"{label}{len(steps)}", task.atoms, energy, converged=False))
        try:
            tasks = flow.send(answers)
        except StopIteration as end:
            return end.value, steps


def test_a_placement_that_cannot_win_is_given_up_half_way(parent: ParentInterface) -> None:
    settings = SETTINGS.model_copy(
        update={"contact_placements": 3, "race_steps": 15, "prerelax_steps": 40, "inner_placements": 0}
    )
    trials, steps = race([-10.0, -9.0, -7.5], parent, settings)
    assert [t.given_up for t in trials] == [False, False, True]
    assert [t.interface.energy for t in trials] == [-13.0, -12.0, -7.5]
    assert steps == [15, 15, 15, 25, 25]


def test_without_a_race_all_placements_go_to_the_end(parent: ParentInterface) -> None:
    settings = SETTINGS.model_copy(update={"contact_placements": 3, "race_steps": 0, "inner_placements": 0})
    trials, steps = race([-10.0, -9.0, -7.5], parent, settings)
    assert not any(t.given_up for t in trials)
    assert steps == [40, 40, 40]


def test_as_many_placements_as_are_relaxed_fully_stay_in_the_race(parent: ParentInterface) -> None:
    settings = SETTINGS.model_copy(
        update={"contact_placements": 3, "race_steps": 15, "n_full": 2, "inner_placements": 0}
    )
    trials, _ = race([-10.0, -5.0, -4.0], parent, settings)
    assert [t.given_up for t in trials] == [False, False, True]
