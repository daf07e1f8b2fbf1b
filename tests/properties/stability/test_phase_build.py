"""Building the energies file: resumable, keeps what is known, quarantines the implausible."""

import json
import math
from typing import Any

import pytest
from phase_toys import phase

from screening.engine.running.records import PotentialId
from screening.engine.running.workforce import Workforce
from screening.errors import UserError
from screening.properties.stability import phase_build
from screening.properties.stability.phase_build import build_energies, distance_to_others, judge_distances
from screening.properties.stability.phase_files import read_energies
from screening.structures.crystals.phases import load_phases, parse_facts

BY_NAME = {f.name: f for f in load_phases({"Li", "Mg", "O"})}
CHGNET = Workforce(potential_name="chgnet", device="cpu")
SMALL = [BY_NAME[name] for name in ("Li", "O2", "MgO", "Mg", "Li2O")]


def test_build_writes_what_a_second_build_does_not_compute_again(tmp_path, monkeypatch):
    out, work = tmp_path / "energies" / "chgnet.json", tmp_path / "work"
    built = build_energies(CHGNET, out, work=work, phases=SMALL[:3])
    assert set(built.energies) == {f.name for f in SMALL[:3]}
    everything = build_energies(CHGNET, out, work=work, phases=SMALL)
    assert everything.computed == 2
    data = json.loads(out.read_text())
    assert data["command"] == "screen phases build --potential chgnet"
    assert data["built"]["phases"] == 2
    assert data["phases"]["O2"]["origin"] == "reference"
    assert data["phases"]["MgO"]["energy_per_atom"] == pytest.approx(-6.314, abs=0.02)
    read = read_energies(out, PotentialId("chgnet", data["checkpoint_sha256"]), origin="shipped")
    assert all(e.usable for e in read.values())
    # another store, and nothing left to do: unchanged facts are never computed again
    again = build_energies(CHGNET, out, work=tmp_path / "elsewhere", phases=SMALL)
    assert again.computed == 0
    # the facts of one phase change: that one alone
    entry = {**SMALL[0].entry, "lattice": {k: v * 1.001 for k, v in SMALL[0].entry["lattice"].items()}}
    changed = [parse_facts(entry), *SMALL[1:]]
    assert build_energies(CHGNET, out, work=work, phases=changed).computed == 1


def test_a_stopped_build_keeps_what_was_finished(tmp_path, monkeypatch):
    out, work = tmp_path / "chgnet.json", tmp_path / "work"
    real = phase_build.write_energies

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(phase_build, "write_energies", stop)
    with pytest.raises(KeyboardInterrupt):
        build_energies(CHGNET, out, work=work, phases=SMALL)
    assert not out.exists()
    monkeypatch.setattr(phase_build, "write_energies", real)
    seen: list[Any] = []
    build_energies(CHGNET, out, work=work, phases=SMALL, on_progress=seen.append)
    assert seen[-1].tasks_reused == 4
    assert seen[-1].n_force_calls == 0


def test_a_build_may_start_from_another_one_and_ends_in_the_same_crystals(tmp_path):
    cold: list[Any] = []
    warm: list[Any] = []
    first = build_energies(CHGNET, tmp_path / "a.json", work=tmp_path / "a", phases=SMALL, on_progress=cold.append)
    second = build_energies(
        CHGNET, tmp_path / "b.json", work=tmp_path / "b", phases=SMALL, start=tmp_path / "a",
        on_progress=warm.append,
    )  # fmt: skip
    for name, energy in first.energies.items():
        assert second.energies[name].energy_per_atom == pytest.approx(energy.energy_per_atom, abs=1e-4)
    assert 0 < warm[-1].n_force_calls < cold[-1].n_force_calls
    with pytest.raises(UserError, match="holds no store"):
        build_energies(CHGNET, tmp_path / "c.json", work=tmp_path / "c", start=tmp_path / "nothing")


def test_broken_facts_quarantine_their_phase_and_stop_nobody(tmp_path):
    entry = {**BY_NAME["MgO"].entry, "name": "wrong", "formula": "Mg2O"}
    built = build_energies(CHGNET, tmp_path / "e.json", work=tmp_path / "w", phases=[*SMALL[:2], parse_facts(entry)])
    assert "not Mg2O" in built.quarantined["wrong"]
    assert math.isnan(built.energies["wrong"].energy_per_atom)
    assert len(built.quarantined) == 1


def test_a_crystal_far_above_the_others_is_quarantined_until_they_change():
    solids = [phase("Li", {"Li": 1}, -2.0), phase("O", {"O": 1}, -5.0), phase("Li2O", {"Li": 2, "O": 1}, -5.0)]
    high = phase("Li2O-high", {"Li": 2, "O": 1}, -4.85)
    energies = {p.name: p for p in [*solids, high]}
    judged = judge_distances(energies)
    assert judged["Li2O-high"].gate == "implausible: 150 meV/atom above the other phases"
    assert judged["Li2O"].usable
    assert distance_to_others(judged["Li2O"], judged) == pytest.approx(-5.0 + 3.0)
    del judged["Li2O"]
    assert judge_distances(judged)["Li2O-high"].usable
