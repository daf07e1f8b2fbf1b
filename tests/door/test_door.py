"""A notebook can do what the command line can, with the same defaults."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import screening
from screening import load_run, rank, retrain, screen, validate
from screening.campaign.load import StoredRun
from screening.campaign.outputs import write_ranking
from screening.campaign.summary import write_summary
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.cli.commands import ingest, label, phases, run, ui, window
from screening.cli.commands import rank as rank_cli
from screening.cli.commands import retrain as retrain_cli
from screening.cli.commands import validate as validate_cli
from screening.config import Settings
from screening.door import phases as door_phases
from screening.door.ui import ui as serve_ui
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.errors import UserError

HEAVY = ("torch", "ase", "numpy", "pandas", "pymatgen", "mlflow", "pydantic", "typer", "rich")
MG = "Mg_Li-vLi-1of12"
VALUES = {
    "work_of_adhesion": ("J/m2", 1.0, 1.4),
    "migration_barrier": ("eV", 0.9, 0.85),
    "oxidation_driving_force": ("eV/atom", 0.05, 0.05),
    "e_above_hull": ("eV/atom", 0.01, 0.03),
}


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    """A run of the host and one doped candidate, with an interval and a flag."""
    substitution = Substitution(element="Mg", charge=2, site="Li", count=1)
    doped = Candidate(
        host="LiNbO3", n_fu=12, compensation="li_vacancy", x_requested=1 / 12,
        defects=Defects(substitutions=(substitution,), li_vacancies=1),
    )  # fmt: skip
    folder = tmp_path / "first"
    store = RecordStore(folder / "store.db")
    for prop, (unit, *values) in VALUES.items():
        for name, value in zip(("LiNbO3", MG), values, strict=True):
            store.put_record(
                Record(
                    candidate=name, property=prop, value=value, unit=unit, fidelity="mlip:chgnet", converged=True,
                    potential="chgnet", checkpoint_sha256="0" * 64, flags=("thin_slab", "reference_search"),
                    interval=(value - 0.01, value + 0.02) if prop == "work_of_adhesion" else None,
                    details={"y": 1.0} if prop == "work_of_adhesion" else {},
                )
            )  # fmt: skip
    settings = Settings.model_validate({"adhesion": {"soc": [1.0]}})
    candidates = [Candidate(host="LiNbO3", n_fu=12), doped]
    write_summary(folder / "summary.yaml", status="finished", settings=settings, candidates=candidates)
    return load_run(folder)


def test_nothing_that_computes_is_imported_before_a_function_is_called() -> None:
    names = ", ".join(screening.__all__)
    code = f"import sys; from screening import {names}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_name_is_a_function_and_is_listed() -> None:
    assert set(screening.__all__) <= set(dir(screening))
    for name in screening.__all__:
        assert getattr(screening, name).__name__ == name
        assert getattr(screening, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = screening.nonsense


def test_type_checkers_are_told_of_the_same_names() -> None:
    tree = ast.parse(Path(screening.__file__).read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    assert set(screening.__all__) <= imported


PAIRS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (run.run_command, screening.screen),
    (rank_cli.rank_command, screening.rank),
    (window.window_command, screening.window),
    (ingest.ingest_command, screening.ingest),
    (label.label_command, screening.label),
    (validate_cli.validate_command, screening.validate),
    (retrain_cli.retrain_command, screening.retrain),
    (phases.build_command, door_phases.build_phases),
    (phases.list_command, door_phases.list_phases),
    (ui.ui_command, serve_ui),
]
PRINTED_ONLY = {"top", "verbose", "explain", "plot", "as_json", "json_out"}
"""Options that decide what is shown, and not what is done."""


@pytest.mark.parametrize(("command", "function"), PAIRS, ids=lambda f: f.__name__)
def test_a_notebook_has_every_option_of_the_command_with_its_default(
    command: Callable[..., Any], function: Callable[..., Any]
) -> None:
    takes = inspect.signature(function).parameters
    rest = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    for name, option in inspect.signature(command).parameters.items():
        if name not in takes:
            assert name in PRINTED_ONLY or rest, name
            continue
        default = takes[name].default
        if name != "partners":  # none, as typer and as Python write it
            assert option.default is default or str(option.default) == str(default), name


def test_a_wrong_keyword_is_refused_as_by_any_function() -> None:
    with pytest.raises(TypeError, match="potentail"):
        screen("Mg", potentail="chgnet")  # type: ignore[call-arg]


def test_python_values_ask_for_the_same_screen_as_text(tmp_path: Path) -> None:
    typed = screen("Mg,Zr", x="0,1/12", soc="1,1/3", preset="quick", out=tmp_path / "a", dry_run=True)
    plan = screen(["Mg", "Zr"], x=[0, 1 / 12], soc=[1, 1 / 3], preset="quick", out=str(tmp_path / "a"), dry_run=True)
    assert plan.campaign.fingerprint == typed.campaign.fingerprint
    assert [c.name for c in plan.candidates][:2] == ["LiNbO3", MG]
    assert plan.folder == tmp_path / "a"
    assert not plan.folder.exists()
    with pytest.raises(UserError, match="only planned"):
        _ = plan.ranking


def test_what_cannot_be_asked_for_is_a_user_error(stored: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nearest valid name is 'quick'"):
        screen("Mg", preset="quik")
    with pytest.raises(UserError, match="x holds None"):
        screen("Mg", x=[None])
    with pytest.raises(UserError, match="there is no run"):
        rank(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nearest valid name is 'weights'"):
        rank(stored, weight=2)
    with pytest.raises(UserError, match="'max_e_above_hull'"):
        rank(stored, max_e_above_hul=0.1)
    with pytest.raises(UserError, match="--max-e-above-hull"):
        rank(stored, max_e_above_hull=-1.0)
    with pytest.raises(UserError, match="unknown objective"):
        rank(stored, weights={"adhesion": 1})
    with pytest.raises(UserError, match="no candidate 'Zr'"):
        validate(stored, candidates=["Zr"])
    with pytest.raises(UserError, match="--unfreeze is 'some'"):
        retrain("dft-data", unfreeze="some")


def test_weights_are_a_mapping_or_text(stored: StoredRun) -> None:
    one, other = rank(stored, weights={"work_of_adhesion": 3}), rank(stored, weights="work_of_adhesion=3")
    assert one == other
    assert one != rank(stored)
    assert [row.rank for row in rank(stored, max_e_above_hull=0.02).rows if row.candidate == MG] == [None]


def test_a_run_is_given_by_folder_or_as_what_was_loaded(stored: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_run(stored) is stored
    runs = stored.folder.parent
    monkeypatch.chdir(runs)
    assert load_run("first").records == load_run(stored.folder).records == stored.records


def test_a_loaded_run_stays_at_its_place(stored: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stored.folder.parent)
    run = load_run(" first ")
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run.folder == stored.folder
    assert run.structures() == {}
    rank(run, write=True)
    assert (stored.folder / "ranking.csv").is_file()
    assert not (elsewhere / "first").exists()
    assert not (elsewhere / "runs").exists()


def test_a_run_whose_folder_is_gone_has_no_structures(stored: StoredRun) -> None:
    stored.folder.rename(stored.folder.with_name("second"))
    with pytest.raises(UserError, match="load the run again"):
        stored.structures()


def test_a_run_is_shown_in_a_line(stored: StoredRun) -> None:
    assert repr(stored) == f"<run of 2 candidates in {stored.folder}, finished, 8 records>"


def test_the_frame_is_what_pandas_reads_from_the_csv(stored: StoredRun, tmp_path: Path) -> None:
    ranking = rank(stored)
    csv, _ = write_ranking(tmp_path / "out", ranking)
    frame = ranking.to_frame()
    pd.testing.assert_frame_equal(frame, pd.read_csv(csv))
    assert list(frame.columns) == ranking.columns()
    assert list(frame["candidate"]) == [row.candidate for row in ranking.rows]
    assert frame["work_of_adhesion_min_J_m2_low"].notna().all()
    assert frame["flags"].str.contains(";").all()
