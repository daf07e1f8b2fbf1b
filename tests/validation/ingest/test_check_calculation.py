"""What refuses a calculation under some settings, and what is only flagged."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from vasp_runs import TITLES, PaperLike

from screening.training_data.calculation import Calculation, Frame, Method
from screening.validation.ingest.check import (
    as_settings,
    check_convergence,
    check_method,
    match_settings,
    own_settings_name,
)

METHOD = Method(
    engine="vasp", functional="pbe", hubbard={"Ni": 6.0}, cutoff=500.0, potentials=TITLES, kpoints=(4, 4, 4), spin=True
)


def calculation(method=METHOD, **fields):
    atoms = bulk("NiO", "rocksalt", a=4.2)
    frame = Frame(atoms=atoms, energy=-12.0, forces=np.zeros((2, 3)))
    return Calculation(**{"source": "x", "method": method, "frames": (frame,), "electronic_converged": True, **fields})


def changed(**fields):
    return calculation(replace(METHOD, **fields))


def test_run_as_prescribed_passes():
    verdict = check_method(calculation(), PaperLike(), {"kpoints": [4, 4, 4], "n_atoms": 2, "charge": 0})
    assert verdict.refusals == verdict.flags == ()
    assert check_convergence(calculation(ionic_converged=True)).refusals == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hubbard": {"Ni": 6.4}}, "U of Ni is 6.4 eV, paper has 6 eV"),
        ({"hubbard": {}}, "U of Ni is 0 eV"),
        ({"hubbard": {"Ni": 6.0, "O": 2.0}}, "U of O is 2 eV, paper has 0 eV"),
        ({"functional": "pbesol"}, "functional is pbesol"),
        ({"cutoff": 400.0}, "cutoff is 400 eV"),
        ({"potentials": {**TITLES, "Ni": "PAW_PBE Ni 02Aug2007"}}, "POTCAR of Ni is PAW_PBE Ni 02Aug2007"),
        ({"potentials": {"Ni": "Ni", "O": "O"}}, "POTCAR of Ni is Ni"),
        ({"potentials": {**TITLES, "O": "PAW_PBE O_s 07Sep2000"}}, "POTCAR of O"),
        ({"spin": False}, "not spin-polarised"),
        ({"engine": "gpaw"}, "made with gpaw"),
    ],
)
def test_other_energy_scale_is_refused(fields, reason):
    (refusal,) = check_method(changed(**fields), PaperLike()).refusals
    assert reason in refusal


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"cutoff": 520.0}, "cutoff_520_eV"),
        ({"kpoints": (2, 2, 2)}, "kpoints_2x2x2"),
        ({"potentials": {}}, "potentials_unknown"),
        ({"cutoff": None}, "cutoff_unknown"),
    ],
)
def test_small_difference_is_flagged(fields, flag):
    verdict = check_method(changed(**fields), PaperLike(), {"kpoints": [4, 4, 4]})
    assert verdict.refusals == ()
    assert verdict.flags == (flag,)


def test_bare_symbols_of_a_potcar_spec_are_enough():
    assert check_method(changed(potentials={"Ni": "Ni_pv", "O": "O"}), PaperLike()).refusals == ()


def test_missing_spin_of_closed_shells_is_only_flagged():
    settings = PaperLike(hubbard={})
    verdict = check_method(changed(hubbard={}, spin=False), settings)
    assert (verdict.refusals, verdict.flags) == ((), ("no_spin",))


def test_run_of_another_job_is_refused():
    job = {"kpoints": [4, 4, 4], "n_atoms": 3, "charge": -1}
    reasons = " ".join(check_method(calculation(), PaperLike(), job).refusals)
    assert "2 atoms" in reasons
    assert "its charge is 0, its job has -1" in reasons


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"electronic_converged": False}, "electronic"),
        ({"ionic_converged": False}, "relaxation did not converge"),
        ({"frames": (Frame(atoms=bulk("Ni"), energy=float("inf")),)}, "inf eV"),
    ],
)
def test_unconverged_run_is_refused(fields, reason):
    assert reason in " ".join(check_convergence(calculation(**fields)).refusals)


def test_settings_are_found_by_agreement(paper):
    assert match_settings(calculation()) == (paper, "")
    settings, reason = match_settings(changed(hubbard={"Ni": 1.0}))
    assert settings is None
    assert "U of Ni is 1 eV" in reason
    assert "--accept-method" in reason


def test_settings_that_agree_equally_are_left_to_the_user(monkeypatch):
    known = {"one": PaperLike("one"), "two": PaperLike("two"), "high": PaperLike("high", cutoff=450.0)}
    monkeypatch.setattr("screening.validation.ingest.check.available_settings", lambda: known)
    monkeypatch.setattr("screening.validation.ingest.check.load_validation_settings", known.get)
    settings, reason = match_settings(calculation())
    assert settings is None
    assert "agrees with one and two" in reason
    del known["two"]
    assert match_settings(calculation())[0].name == "one"  # no flag, where "high" has one


def test_file_without_a_method_needs_the_word_of_the_user():
    unknown = calculation(Method(engine="extxyz", functional="unknown"))
    assert "--settings" in match_settings(unknown)[1]
    told = as_settings(unknown, PaperLike())
    assert check_method(told, PaperLike()).refusals == ()
    assert told.details.warnings


def test_own_name_tells_methods_apart():
    names = {own_settings_name(m) for m in (METHOD, replace(METHOD, cutoff=600.0), replace(METHOD, hubbard={}))}
    assert len(names) == 3
    assert own_settings_name(METHOD) == own_settings_name(replace(METHOD, kpoints=(1, 1, 1)))
