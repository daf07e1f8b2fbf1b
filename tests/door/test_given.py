"""What a notebook can give and no function takes: one sentence, and nothing written."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from pymatgen.core import Composition

import screening
from screening.campaign.ranking.rows import Ranking
from screening.campaign.request import Campaign
from screening.door import given
from screening.door.given import as_typed, lasting
from screening.door.screen import ScreenResult
from screening.errors import UserError
from screening.quantities.settings import RankingSettings

LONG = ["a list that is far too long to stand in a sentence"] * 5

BAD: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("screen", ("Mg",), {"workers": -1}, "workers is -1; give a whole number, 1 or more"),
    ("screen", ("Mg",), {"workers": 0}, "workers is 0;"),
    ("screen", ("Mg",), {"workers": 1.5}, "workers is 1.5;"),
    ("screen", ("Mg",), {"workers": "2"}, "workers is '2';"),
    ("screen", ("Mg",), {"workers": True}, "workers is True;"),
    ("screen", (None,), {}, "dopants is None; give dopants as text"),
    ("screen", (b"Mg",), {}, "dopants is b'Mg';"),
    ("screen", (["Mg", 3],), {}, "dopants is"),
    ("screen", ("Mg",), {"device": None}, "device is None; give 'auto', 'cpu' or 'cuda', or leave it out"),
    ("screen", ("Mg",), {"host": 3}, "host is 3;"),
    ("screen", ("Mg",), {"preset": 1}, "preset is 1;"),
    ("screen", ("Mg",), {"seed": 1.5}, "seed is 1.5;"),
    ("screen", ("Mg",), {"config": {}}, "config is {};"),
    ("screen", ("Mg",), {"out": 1}, "out is 1;"),
    ("screen", ("Mg",), {"out": ""}, "out is '';"),
    ("screen", ("Mg",), {"out": "a\0b"}, "out is 'a"),
    ("screen", ("Mg",), {"out": "~no-such-user/x"}, "give the path in full"),
    ("screen", ("Mg",), {"dry_run": 1}, "dry_run is 1; give True or False"),
    ("screen", ("Mg",), {"on_progress": 1}, "on_progress is 1; give a function"),
    ("screen", ("Mg",), {"phases": ""}, "phases is '';"),
    ("screen", ("Mg",), {"x": b"0.1"}, "x is b'0.1';"),
    ("screen", ("Mg",), {"x": {"a": 1}}, "x is {'a': 1};"),
    ("window", (["LiNbO3"],), {}, "formula is"),
    ("window", (Composition("LiNbO3"),), {}, "formula is"),
    ("window", ("LiNbO3", None), {}, "partners is None;"),
    ("window", ("LiNbO3",), {"phases": ""}, "phases is '';"),
    ("window", ("LiNbO3",), {"voltage": 1e9}, "voltage is 1000000000.0; give a number from 0 to 8 V"),
    ("window", ("LiNbO3",), {"voltage": -1}, "voltage is -1;"),
    ("window", ("LiNbO3",), {"voltage": float("nan")}, "voltage is nan;"),
    ("window", ("LiNbO3",), {"voltage": True}, "voltage is True;"),
    ("load_run", (None,), {}, "run is None; give the folder of a run"),
    ("load_run", ("",), {}, "run is '';"),
    ("load_run", (LONG,), {}, "...;"),
    ("load_potential", (3,), {}, "name is 3; give the name of a potential"),
    ("rank", ("first",), {"weights": [1]}, r"weights is \[1\];"),
    ("rank", ("first",), {"fidelity": 1}, "fidelity is 1;"),
    ("validate", ("first",), {"top": 0}, "top is 0;"),
    ("validate", ("first",), {"top": -1}, "top is -1;"),
    ("validate", ("first",), {"max_atoms": -3}, "max_atoms is -3;"),
    ("validate", ("first",), {"max_atoms": "a"}, "max_atoms is 'a';"),
    ("validate", ("first",), {"engine": 3}, "engine is 3;"),
    ("retrain", ("dft-data",), {"epochs": 1.5}, "epochs is 1.5;"),
    ("retrain", ("dft-data",), {"seed": 1.5}, "seed is 1.5;"),
    ("retrain", ("dft-data",), {"held_out": True}, "held_out is True;"),
    ("retrain", ("dft-data",), {"learning_rate": "1e-4"}, "learning_rate is '1e-4';"),
    ("retrain", ([],), {}, r"data is \[\];"),
    ("ingest", ("",), {}, "paths is '';"),
    ("ingest", ([],), {}, r"paths is \[\]; give a path or a list of paths"),
    ("label", ("a.cif", "labels"), {"charge": 21}, "charge is 21; give a whole number from -20 to 20"),
    ("label", ({}, "labels"), {}, "structures is empty"),
    ("label", ({"a": 1}, "labels"), {}, "structures holds int by the name 'a'"),
    ("phase_entry", ("mgo.cif", ""), {}, "source is '';"),
    ("list_phases", (3,), {}, "elements is 3;"),
    ("build_phases", (), {"workers": 0}, "workers is 0;"),
    ("build_phases", (), {"out": "."}, "is a folder; give --out a file"),
]


@pytest.mark.parametrize(("name", "args", "options", "words"), BAD)
def test_a_value_of_another_kind_or_range_is_refused_in_one_sentence(
    name: str,
    args: tuple[Any, ...],
    options: dict[str, Any],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words) as refused:
        getattr(screening, name)(*args, **options)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert list(tmp_path.iterdir()) == []


def test_every_parameter_of_the_door_is_read_by_a_kind() -> None:
    import inspect

    read_elsewhere = {"x", "soc", "thresholds"}
    for name in screening.__all__:
        names = set(inspect.signature(getattr(screening, name)).parameters) - read_elsewhere
        assert names - {"paths"} <= set(given.KINDS), name


@pytest.mark.parametrize("x", [np.array(1 / 12), 1 / 12])
def test_a_number_of_numpy_without_dimension_is_a_number(x: Any, tmp_path: Path) -> None:
    plan = screening.screen(" Mg ", x=x, host=" LiNbO3 ", potential=Path("chgnet"), out=tmp_path / "a", dry_run=True)
    assert [candidate.x for candidate in plan.candidates] == pytest.approx([0, 1 / 12, 1 / 12])
    assert not plan.folder.exists()


def test_a_plan_stays_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert screening.screen("Mg", x="1/12", dry_run=True).folder.parent == tmp_path / "runs"
    assert screening.screen("Mg", x="1/12", out="a", dry_run=True).folder == tmp_path / "a"
    assert screening.screen("Mg", x="1/12", out="~/a", dry_run=True).folder == tmp_path / "home" / "a"


def test_the_command_line_keeps_paths_as_they_were_typed() -> None:
    with as_typed():
        assert lasting(Path("runs/a")) == Path("runs/a")
    assert lasting(Path("runs/a")) == Path.cwd() / "runs/a"


def test_settings_may_be_a_path(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    own = tmp_path / "own.yaml"
    for call in (
        lambda: screening.ingest(tmp_path / "empty", data=tmp_path / "data", settings=own),
        lambda: screening.label({"a": Atoms("H")}, tmp_path / "labels", settings=own),
        lambda: screening.validate("first", settings=own),
        lambda: screening.load_potential(own),
        lambda: screening.screen("Mg", phases=own, dry_run=True),
    ):
        with pytest.raises(UserError, match=r"own\.yaml"):
            call()


def test_a_folder_that_cannot_be_made_is_refused_when_planning() -> None:
    with pytest.raises(UserError, match="/proc/x cannot be written"):
        screening.screen("Mg", x="1/12", out="/proc/x", dry_run=True)
    with pytest.raises(UserError, match="/proc/x cannot be written"):
        screening.build_phases(out="/proc/x/energies.json")


def test_an_error_of_the_system_while_computing_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = screening.screen("Mg", x="1/12", out=tmp_path / "a", dry_run=True)
    refused: OSError = PermissionError(13, "Permission denied", "runs/a")

    def fail(campaign: Campaign, on_progress: object) -> None:
        raise refused

    monkeypatch.setattr("screening.campaign.execute.execute", fail)
    with pytest.raises(UserError, match=r"^runs/a cannot be used \(Permission denied\): give a place"):
        plan.compute()
    with as_typed(), pytest.raises(PermissionError):
        plan.compute()
    refused = BrokenPipeError()
    with pytest.raises(BrokenPipeError):
        plan.compute()


def test_a_script_that_runs_again_in_its_own_workers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    for call in (lambda: screening.screen("Mg", workers=2), screening.build_phases, _planned().compute):
        with pytest.raises(UserError, match='if __name__ == "__main__":'):
            call()


def _planned() -> ScreenResult:
    return screening.screen("Mg", x="1/12", dry_run=True)


def test_a_wrong_keyword_names_the_function() -> None:
    with pytest.raises(TypeError, match=r"^screen\(\) got an unexpected keyword argument 'potentail'"):
        screening.screen("Mg", potentail="chgnet")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^window\(\) missing"):
        screening.window()  # type: ignore[call-arg]


def test_a_ranking_is_shown_in_a_line() -> None:
    shown = repr(Ranking(rows=(), soc=(1.0,), settings=RankingSettings()))
    assert shown == "<ranking of 0 candidates by nothing, 0 of them ranked>"


def test_a_window_is_shown_in_a_line() -> None:
    shown = repr(screening.window("LiNbO3"))
    assert shown.startswith("<window of LiNbO3, ")
    assert len(shown) < 80


def test_home_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    with pytest.raises(UserError, match=f"there is no run at {tmp_path}/first"):
        screening.load_run("~/first")
