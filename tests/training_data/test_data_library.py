"""The data folder: duplicates, disputes, thinning, and a version that depends on the data alone."""

import itertools
import random

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.emt import EMT
from ase.io import read
from ase.optimize import BFGS

from screening.errors import UserError
from screening.training_data import library as library_module
from screening.training_data import library_files
from screening.training_data.calculation import Calculation, Frame, Method
from screening.training_data.library import ENERGY_TOLERANCE, DataLibrary
from screening.training_data.library_files import Accepted
from screening.training_data.same_structure import compare
from screening.training_data.shapes import MAX_DISPLACEMENT, Shape
from screening.training_data.training_frames import training_frames


def computed(atoms: Atoms, shift: float = 0.0) -> Frame:
    """Frame with EMT's energy, forces and stress."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    return Frame(
        atoms=Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc),
        energy=atoms.get_potential_energy() + shift,
        forces=atoms.get_forces(),
        stress=atoms.get_stress(voigt=False),
    )


def accepted(source: str, *frames: Frame, fidelity: str = "dft:vasp-pbe:paper", **fields) -> Accepted:
    calculation = Calculation(
        source=source,
        method=Method(engine="vasp", functional="pbe"),
        frames=frames,
        electronic_converged=True,
        **fields,
    )
    return Accepted(calculation=calculation, fidelity=fidelity, settings="paper", source=source, candidate="", role="")


def rattled(seed: int, amplitude: float = 0.1) -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.7, cubic=True)
    atoms.symbols[0] = "Au"
    atoms.rattle(amplitude, seed=seed)
    return atoms


def contents(folder) -> dict:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_frames_come_back_as_they_were(tmp_path):
    frame = computed(rattled(1))
    DataLibrary(tmp_path).add([accepted("runs/01", frame, charge=-1.0)])
    (atoms,) = DataLibrary(tmp_path).frames()
    np.testing.assert_allclose(atoms.positions, frame.atoms.positions, atol=1e-7)
    assert atoms.get_potential_energy() == pytest.approx(frame.energy, abs=1e-9)
    np.testing.assert_allclose(atoms.get_forces(), frame.forces, atol=1e-7)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), frame.stress, atol=1e-9)
    assert atoms.info["fidelity"] == "dft:vasp-pbe:paper"
    assert atoms.info["candidate"] == ""
    assert atoms.info["source"] == "runs/01"
    assert atoms.info["charge"] == -1.0
    (entry,) = DataLibrary(tmp_path).calculations()
    assert entry["id"] == atoms.info["calculation"]
    assert entry["n_frames"] == 1


@pytest.mark.parametrize("name", ["123", "./01", "a b", 'a"b', "x=1", "Mg_Li-vLi-1of12/bulk"])
def test_any_name_of_a_folder_comes_back(tmp_path, name):
    DataLibrary(tmp_path).add([accepted(name, computed(rattled(1)))])
    assert DataLibrary(tmp_path).frames()[0].info["source"] == name


def test_adding_twice_changes_no_byte(tmp_path):
    new = [accepted(f"run-{seed}", computed(rattled(seed))) for seed in range(3)]
    first = DataLibrary(tmp_path).add(new)
    before = contents(tmp_path)
    second = DataLibrary(tmp_path).add(new)
    assert len(first.added) == 3
    assert second.added == []
    assert second.known == ["run-0", "run-1", "run-2"]
    assert contents(tmp_path) == before


def test_version_depends_on_the_data_alone(tmp_path):
    new = [accepted(f"run-{seed}", computed(rattled(seed))) for seed in range(4)]
    DataLibrary(tmp_path / "one").add(new)
    shuffled = new.copy()
    random.Random(1).shuffle(shuffled)
    for item in shuffled:
        DataLibrary(tmp_path / "two").add([item])
    version = DataLibrary(tmp_path / "one").version
    assert DataLibrary(tmp_path / "two").version == version
    DataLibrary(tmp_path / "two").add([accepted("more", computed(rattled(9)))])
    assert DataLibrary(tmp_path / "two").version != version
    assert len(version) == 12


def test_same_structure_in_other_order_and_origin_is_a_duplicate(tmp_path):
    atoms = rattled(3)
    other = atoms[[2, 0, 3, 1]]
    other.positions += [0.3, 1.1, 0.7]
    other.wrap()
    rerun = atoms.copy()
    rerun.rattle(1e-4, seed=4)
    outcome = DataLibrary(tmp_path).add(
        [accepted("first", computed(atoms)), accepted("moved", computed(other)), accepted("rerun", computed(rerun))]
    )
    assert outcome.added == ["first"]
    assert outcome.duplicates == [("moved", "first"), ("rerun", "first")]
    assert len(DataLibrary(tmp_path).frames()) == 1


def test_two_ways_to_one_structure_are_both_kept(tmp_path):
    end = computed(rattled(3))
    one, two = accepted("one", computed(rattled(4)), end), accepted("two", computed(rattled(5)), end)
    outcome = DataLibrary(tmp_path).add([one, two, accepted("same start", computed(rattled(4)), end)])
    assert outcome.added == ["one", "two"]
    assert outcome.duplicates == []
    assert outcome.known == ["same start"]


def test_other_fidelity_or_charge_is_no_duplicate(tmp_path):
    frame = computed(rattled(3))
    outcome = DataLibrary(tmp_path).add(
        [
            accepted("a", frame),
            accepted("b", frame, fidelity="dft:vasp-pbe:mp"),
            accepted("c", frame, charge=-1.0),
        ]
    )
    assert len(outcome.added) == 3
    assert len(DataLibrary(tmp_path).frames("dft:vasp-pbe:mp")) == 1


def test_two_runs_that_disagree_are_both_named_and_neither_is_kept(tmp_path):
    frame, wrong = computed(rattled(3)), computed(rattled(3), shift=0.05)
    good = accepted("good", computed(rattled(5)))
    outcome = DataLibrary(tmp_path).add([accepted("one", frame), good, accepted("two", wrong)])
    ((source, against, difference),) = outcome.disputes
    assert {source, against} == {"one", "two"}
    assert difference == pytest.approx(0.05 / 4)
    assert outcome.added == ["good"]
    assert [entry["source"] for entry in DataLibrary(tmp_path).calculations()] == ["good"]
    assert len(DataLibrary(tmp_path).frames()) == 1
    assert {entry["source"] for entry in DataLibrary(tmp_path).disputed()} == {"one", "two"}


def test_later_run_that_disagrees_takes_the_earlier_one_out_for_good(tmp_path):
    one, two = accepted("one", computed(rattled(3))), accepted("two", computed(rattled(3), shift=-0.2))
    library = DataLibrary(tmp_path)
    library.add([one])
    library.add([two])
    assert library.frames() == library.calculations() == []
    before = contents(tmp_path)
    again = library.add([one])
    assert again.disputes[0][:2] == ("one", "two")
    assert contents(tmp_path) == before
    third = library.add([accepted("three", computed(rattled(3), shift=1e-4))])
    assert third.added == []
    assert third.disputes[0][:2] == ("three", "two")


def test_difference_below_the_tolerance_is_a_duplicate(tmp_path):
    small = computed(rattled(3), shift=0.9 * 4 * ENERGY_TOLERANCE)
    outcome = DataLibrary(tmp_path).add([accepted("one", computed(rattled(3))), accepted("two", small)])
    assert outcome.duplicates == [("two", "one")]


def test_calculation_without_forces_is_listed_but_no_training_data(tmp_path):
    frame = computed(rattled(3))
    energy_only = Frame(atoms=frame.atoms, energy=frame.energy)
    outcome = DataLibrary(tmp_path).add([accepted("image", energy_only), accepted("copy", energy_only)])
    assert outcome.n_frames == 0
    assert DataLibrary(tmp_path).frames() == []
    assert len(DataLibrary(tmp_path).calculations()) == 1
    assert len(read(tmp_path / "energies.extxyz", ":")) == 1


def test_relaxation_is_thinned_to_steps_that_differ(tmp_path):
    atoms = rattled(7, 0.25)
    atoms.calc = EMT()
    frames = []
    optimizer = BFGS(atoms, logfile=None)
    optimizer.attach(lambda: frames.append(computed(atoms)))
    optimizer.run(fmax=1e-4, steps=60)
    kept = training_frames(accepted("x", *frames).calculation)
    assert 2 <= len(kept) < len(frames)
    np.testing.assert_array_equal(kept[0].positions, frames[0].atoms.positions)
    np.testing.assert_array_equal(kept[-1].positions, frames[-1].atoms.positions)
    for one, other in itertools.pairwise(kept):
        moved = np.linalg.norm(other.positions - one.positions, axis=1).max()
        change = abs(other.get_potential_energy() - one.get_potential_energy()) / 4
        assert moved > 0.02 or change > 0.001


def test_two_rattles_are_two_structures_and_a_supercell_is_another():
    one, two = rattled(1, 0.02), rattled(2, 0.02)
    assert np.abs(one.positions - two.positions).max() > MAX_DISPLACEMENT
    assert not compare(Shape(one), Shape(two))
    assert not compare(Shape(one), Shape(make_supercell(one, np.diag([2, 1, 1]))))
    strained = one.copy()
    strained.set_cell(one.cell * 1.01, scale_atoms=True)
    assert not compare(Shape(one), Shape(strained))


def test_molecule_is_compared_without_its_place():
    one = Atoms("CO", [[0, 0, 0], [0, 0, 1.13]])
    two = Atoms("CO", [[1, 2, 3], [1, 2, 4.13]])
    assert compare(Shape(one), Shape(two))


def test_folder_that_ships_the_frames_alone_is_read(tmp_path):
    DataLibrary(tmp_path / "made").add([accepted("one", computed(rattled(1)))])
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "training.extxyz").write_bytes((tmp_path / "made" / "training.extxyz").read_bytes())
    library = DataLibrary(tmp_path / "alone")
    assert len(library.frames()) == 1
    assert library.calculations() == []
    assert library.version == DataLibrary(tmp_path / "made").version


def test_damaged_folder_is_refused_and_not_overwritten(tmp_path):
    library = DataLibrary(tmp_path)
    library.add([accepted("one", computed(rattled(1)))])
    text = (tmp_path / "training.extxyz").read_text()
    (tmp_path / "training.extxyz").write_text(text[:-200])
    before = contents(tmp_path)
    with pytest.raises(UserError, match="damaged"):
        library.add([accepted("two", computed(rattled(2)))])
    assert contents(tmp_path) == before
    (tmp_path / "training.extxyz").write_text("")
    with pytest.raises(UserError, match="frames are missing"):
        library.add([accepted("two", computed(rattled(2)))])


def all_pairs(new: list[Accepted]) -> dict[str, set[str]]:
    """What comparing every calculation with every other one says, by source, for single points of one method."""
    energy = {a.source: a.calculation.energy / len(a.calculation.atoms) for a in new}
    shape = {a.source: Shape(a.calculation.atoms) for a in new}
    disputed: set[str] = set()
    kept: list[str] = []
    duplicates: set[str] = set()
    for name in energy:
        same = [other for other in (*kept, *sorted(disputed)) if compare(shape[other], shape[name])]
        against = [other for other in same if abs(energy[other] - energy[name]) > ENERGY_TOLERANCE]
        if against or any(other in disputed for other in same):
            disputed |= {name, *against[:1]}
            kept = [other for other in kept if other not in disputed]
        elif same:
            duplicates.add(name)
        else:
            kept.append(name)
    return {"kept": set(kept), "duplicates": duplicates, "disputed": disputed}


@pytest.mark.parametrize("seed", range(3))
def test_same_outcome_as_comparing_all_pairs(tmp_path, seed):
    """Rattles of some cells, with repetitions in other order and origin, some of them with another energy."""
    rng = np.random.default_rng(seed)
    new = []
    for number in range(24):
        frame = computed(rattled(int(rng.integers(8)), 0.1))
        if rng.random() < 0.5:
            order = rng.permutation(4)
            atoms = frame.atoms[order]
            atoms.positions += rng.normal(size=3)
            frame = Frame(atoms=atoms, energy=frame.energy, forces=frame.forces[order], stress=frame.stress)
        shift = 0.1 if rng.random() < 0.15 else 2e-4 * rng.random()
        frame = Frame(atoms=frame.atoms, energy=frame.energy + shift, forces=frame.forces, stress=frame.stress)
        new.append(accepted(f"run-{number}", frame))
    expected = all_pairs(new)
    library = DataLibrary(tmp_path)
    for part in (new[:10], new[10:]):
        library.add(part)
    assert {entry["source"] for entry in library.calculations()} == expected["kept"]
    assert {entry["source"] for entry in library.disputed()} == expected["disputed"]


def test_finite_displacements_are_kept_and_no_disputes(tmp_path):
    """0.01 A is what phonopy displaces by: the forces explain the energies, and each frame is worth having."""
    atoms = rattled(3)
    frames = [computed(atoms)]
    for index, direction, sign in itertools.product(range(4), range(3), (-1, 1)):
        moved = atoms.copy()
        moved.positions[index, direction] += 0.01 * sign
        frames.append(computed(moved))
    energies = [frame.energy / 4 for frame in frames]
    assert max(energies) - min(energies) > ENERGY_TOLERANCE
    outcome = DataLibrary(tmp_path).add([accepted(f"run-{n}", frame) for n, frame in enumerate(frames)])
    assert outcome.disputes == outcome.duplicates == []
    assert len(outcome.added) == 25


def test_reruns_of_a_relaxation_are_one_although_they_end_a_little_apart(tmp_path):
    start, end = computed(rattled(4)), rattled(3)
    again = end.copy()
    again.positions[0, 0] += 0.005
    again_frame = Frame(atoms=again, energy=computed(end).energy, forces=computed(again).forces)
    outcome = DataLibrary(tmp_path).add([accepted("one", start, computed(end)), accepted("two", start, again_frame)])
    assert outcome.added == ["one"]
    assert outcome.duplicates == [("two", "one")]


def test_nearly_no_structures_are_compared_and_files_read_once(tmp_path, monkeypatch):
    """Counted instead of timed: the comparisons do not grow with the number of pairs."""
    counts = {"compare": 0, "read": 0}

    def compare(one, other, real=library_module.compare):
        counts["compare"] += 1
        return real(one, other)

    def read_frames(path, real=library_files.read_frames):
        counts["read"] += 1
        return real(path)

    monkeypatch.setattr(library_module, "compare", compare)
    monkeypatch.setattr(library_files, "read_frames", read_frames)
    new = [accepted(f"run-{seed}", computed(rattled(seed, 0.05))) for seed in range(120)]
    library = DataLibrary(tmp_path)
    assert len(library.add(new[:80]).added) == 80
    assert len(library.add(new).added) == 40
    assert counts["compare"] <= 12  # of 7140 pairs
    assert counts["read"] <= 2
    counts["read"] = 0
    assert len(library.add(new).known) == 120
    assert counts["read"] == 0  # what is known already is known by the list


def test_frames_that_came_without_a_list_are_not_overwritten(tmp_path):
    DataLibrary(tmp_path / "made").add([accepted("one", computed(rattled(1)))])
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "training.extxyz").write_bytes((tmp_path / "made" / "training.extxyz").read_bytes())
    before = contents(tmp_path / "alone")
    with pytest.raises(UserError, match=r"without calculations\.yaml"):
        DataLibrary(tmp_path / "alone").add([accepted("two", computed(rattled(2)))])
    assert {name: state for name, state in contents(tmp_path / "alone").items() if name != ".lock"} == before


def test_dispute_that_was_killed_between_its_two_writes_is_finished_by_the_next_call(tmp_path, monkeypatch):
    one, two = accepted("one", computed(rattled(3))), accepted("two", computed(rattled(3), shift=0.1))
    good = accepted("good", computed(rattled(5)))
    library = DataLibrary(tmp_path)
    library.add([one, good])

    def killed(folder, items, real=library_module.save_items):
        if folder == tmp_path:
            raise KeyboardInterrupt
        real(folder, items)

    monkeypatch.setattr(library_module, "save_items", killed)
    with pytest.raises(KeyboardInterrupt):
        library.add([two])
    monkeypatch.undo()
    assert len(library.frames()) == 2  # the disputed one is still there
    library.add([good])
    assert [entry["source"] for entry in library.calculations()] == ["good"]
    assert [atoms.info["source"] for atoms in library.frames()] == ["good"]
