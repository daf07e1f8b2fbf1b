from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from taught import write_data

from screening.errors import UserError
from screening.training_data.training_set import fidelity_of, groups_of, reduced_formula, split_frames, usable_frames

DFT = "dft:gpaw-pbe:gpaw-pbe"


def labelled(formula, candidate="", *, fidelity=DFT, charge=0, forces=True, seed=0):
    rng = np.random.default_rng(seed)
    atoms = Atoms(formula, cell=[5, 5, 5], pbc=True)
    atoms.positions = rng.uniform(0, 5, (len(atoms), 3))
    results: dict[str, Any] = {"energy": float(rng.normal())}
    if forces:
        results["forces"] = rng.normal(size=(len(atoms), 3))
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info = {"calculation": f"{formula}-{seed}", "fidelity": fidelity, "charge": charge}
    if candidate:
        atoms.info["candidate"] = candidate
    return atoms


def test_frames_come_back_as_they_were_written(tmp_path):
    written = labelled("Li2O", "Mg_Li-1of12", seed=3)
    (frame,) = usable_frames([write_data(tmp_path, [written])])
    assert frame.energy == pytest.approx(written.get_potential_energy(), abs=1e-7)
    assert frame.forces == pytest.approx(written.get_forces(), abs=1e-7)
    assert frame.atoms.positions == pytest.approx(written.positions, abs=1e-7)
    assert (frame.candidate, frame.fidelity, frame.formula, frame.stress) == ("Mg_Li-1of12", DFT, "Li2O", None)


def test_an_empty_candidate_is_none_whatever_the_file_makes_of_it(tmp_path):
    """ASE writes an empty value as `candidate=` and reads the next pair as its value."""
    atoms = labelled("Li2O")
    atoms.info = {"candidate": "", "role": "bulk", **atoms.info}
    (frame,) = usable_frames([write_data(tmp_path, [atoms])])
    assert frame.candidate == ""


def test_charged_cells_and_cells_without_forces_are_left_out(tmp_path, caplog):
    frames = [labelled("Li2O"), labelled("Li2O", charge=-1, seed=1), labelled("Li2O", forces=False, seed=2)]
    assert len(usable_frames([write_data(tmp_path, frames)])) == 1
    assert "2 of 3 frames are charged or lack forces" in caplog.text


def test_fidelities_are_not_mixed_and_one_can_be_chosen(tmp_path):
    other = "dft:vasp-pbe+u:kim2026"
    one = write_data(tmp_path / "one", [labelled("Li2O")])
    two = write_data(tmp_path / "two", [labelled("MgO", fidelity=other)])
    with pytest.raises(UserError, match="several fidelities") as error:
        usable_frames([one, two])
    assert DFT in str(error.value)
    assert other in str(error.value)
    assert [f.formula for f in usable_frames([one, two], fidelity=other)] == ["MgO"]
    with pytest.raises(UserError, match="hold no frames of dft:none"):
        usable_frames([one], fidelity="dft:none")


def test_elements_with_u_are_of_the_same_settings(tmp_path):
    """Only structures with an element that has U say so in their fidelity; the settings are one."""
    plain, with_u = "dft:vasp-pbe:kim2026", "dft:vasp-pbe+u:kim2026"
    folder = write_data(tmp_path, [labelled("Li2O", fidelity=plain), labelled("NiO", fidelity=with_u)])
    frames = usable_frames([folder])
    assert fidelity_of(frames) == with_u
    assert len(usable_frames([folder], fidelity=plain)) == 2


def test_simulated_frames_are_refused_unless_allowed(tmp_path):
    folder = write_data(tmp_path, [labelled("Li2O", fidelity="mlip:chgnet-via-vasp")])
    with pytest.raises(UserError, match=r"mlip:chgnet-via-vasp.*--allow-simulated"):
        usable_frames([folder])
    assert len(usable_frames([folder], allow_simulated=True)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "holds no training.extxyz"),
        ("garbage\n", "cannot be read as extended XYZ"),
        ("", "hold no neutral frame with energy and forces"),
    ],
)
def test_folders_without_data_are_named(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "training.extxyz").write_text(content)
    with pytest.raises(UserError, match=reason) as error:
        usable_frames([tmp_path])
    assert "\n" not in str(error.value)


def test_a_frame_without_fidelity_is_refused(tmp_path):
    atoms = labelled("Li2O")
    del atoms.info["fidelity"]
    with pytest.raises(UserError, match="does not name its fidelity"):
        usable_frames([write_data(tmp_path, [atoms])])


def frames_of(tmp_path, counts):
    atoms = [labelled(f, c, seed=10 * k + i) for k, (f, c, n) in enumerate(counts) for i in range(n)]
    return usable_frames([write_data(tmp_path, atoms)])


COUNTS = [
    ("Li12Nb12O36", "pristine", 5),
    ("Li10MgNb12O36", "Mg_Li", 5),
    ("Li11MgNb12O36", "Mg_Li", 3),
    ("Li3Ni2O5", "pristine", 2),
    ("Li3Ni2O5", "Mg_Li", 2),
    ("MgO", "", 4),
    ("Li2O", "", 4),
    ("Li4O2", "", 2),
]


def test_groups_follow_candidates_and_formulas(tmp_path):
    frames = frames_of(tmp_path, COUNTS)
    sizes = {name: len(members) for name, members in groups_of(frames).items()}
    assert sizes == {"pristine": 5, "Mg_Li": 8, "Li3Ni2O5": 4, "MgO": 4, "Li2O": 6}


@pytest.mark.parametrize("seed", range(12))
def test_no_composition_is_on_both_sides(tmp_path, seed):
    frames = frames_of(tmp_path, COUNTS)
    split = split_frames(frames, 0.25, seed=seed)
    assert {f.formula for f in split.held_out}.isdisjoint({f.formula for f in split.learnt})
    assert len(split.held_out) + len(split.training) + len(split.validation) == len(frames)
    assert 0 < len(split.held_out) <= 0.4 * len(frames)
    assert split.validation
    assert split.training
    elements = {s for f in split.held_out for s in f.atoms.get_chemical_symbols()}
    assert elements <= {s for f in split.learnt for s in f.atoms.get_chemical_symbols()}, "every group could be avoided"


def test_split_is_the_same_for_the_same_seed(tmp_path):
    frames = frames_of(tmp_path, COUNTS)
    assert split_frames(frames, 0.25, seed=4) == split_frames(frames, 0.25, seed=4)
    drawn = {tuple(split_frames(frames, 0.25, seed=s).held_out_groups) for s in range(8)}
    assert len(drawn) > 1


def test_held_out_by_name(tmp_path):
    frames = frames_of(tmp_path, COUNTS)
    split = split_frames(frames, ["Mg_Li", "Mg4O4"], seed=0)
    assert split.held_out_groups == ["MgO", "Mg_Li"]
    assert {f.formula for f in split.held_out} == {
        reduced_formula(labelled(f)) for f in ("Li10MgNb12O36", "Li11MgNb12O36", "MgO")
    }
    with pytest.raises(UserError, match=r"no frames belong to 'Zr_Nb'.*Mg_Li"):
        split_frames(frames, ["Zr_Nb"], seed=0)
    with pytest.raises(UserError, match="no frames belong to 'Li1e400NbO3'"):
        split_frames(frames, ["Li1e400NbO3"], seed=0)
    with pytest.raises(UserError, match="nothing is left"):
        split_frames(frames, sorted(groups_of(frames)), seed=0)


def test_one_composition_cannot_be_split(tmp_path):
    frames = frames_of(tmp_path, [("Li2O", "", 6)])
    with pytest.raises(UserError, match="all frames have the composition Li2O"):
        split_frames(frames, 0.2, seed=0)
