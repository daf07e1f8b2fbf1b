"""A property that is entered in the table, and nowhere else, is where the others are.

The program runs in a process of its own, in which the entries are there before anything has read the table: options and
settings are made once.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_properties
import yaml

from screening.campaign.ranking.ranking import rank
from screening.campaign.summary import write_summary
from screening.chemistry.candidate import Candidate, Defects, Substitution
from screening.config import Settings
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.quantities import table
from screening.quantities.settings import RankingSettings
from screening.report.columns import columns_document

SOC = (1.0, 0.0)
CONDUCTIVITY = {"LiNbO3": (1.0, (0.9, 1.1)), "Mg_Li-vLi-1of12": (3.5, (3.0, 4.0)), "Zr_Nb-iLi-1of12": (2.0, (2.0, 2.0))}
EXPANSION = {"LiNbO3": 12.0, "Mg_Li-vLi-1of12": 9.0, "Zr_Nb-iLi-1of12": 30.0}
SWELLING = {"LiNbO3": (1.0, 4.0), "Mg_Li-vLi-1of12": (2.5, 0.0), "Zr_Nb-iLi-1of12": (0.0, 3.0)}
"""At y = 1 and 0; the largest is the worst: 4.0, 2.5 and 3.0."""
OTHERS = {"migration_barrier": 0.9, "oxidation_driving_force": 0.05, "e_above_hull": 0.01}
"""The same for every candidate, so that the toys alone decide."""


def candidates() -> list[Candidate]:
    magnesium = Substitution(element="Mg", charge=2, site="Li", count=1)
    zirconium = Substitution(element="Zr", charge=4, site="Nb", count=1)
    return [
        Candidate(host="LiNbO3", n_fu=12),
        Candidate(
            host="LiNbO3", n_fu=12, x_requested=1 / 12, compensation="li_vacancy",
            defects=Defects(substitutions=(magnesium,), li_vacancies=1),
        ),
        Candidate(
            host="LiNbO3", n_fu=12, x_requested=1 / 12, compensation="li_interstitial",
            defects=Defects(substitutions=(zirconium,), li_interstitials=1),
        ),
    ]  # fmt: skip


def records() -> list[Record]:
    def record(name: str, prop: str, value: float, unit: str, y: float | None = None, **fields: Any) -> Record:
        return Record(
            candidate=name, property=prop, value=value, unit=unit, fidelity="mlip:chgnet", converged=True,
            potential="chgnet", checkpoint_sha256="0" * 64, details={} if y is None else {"y": y},
            recipe_hash=f"{name}-{prop}-{y}", **fields,
        )  # fmt: skip

    found = []
    for name in CONDUCTIVITY:
        value, interval = CONDUCTIVITY[name]
        found.append(record(name, "ionic_conductivity", value, "mS/cm", interval=interval))
        found.append(record(name, "thermal_expansion", EXPANSION[name], "1e-6/K"))
        found += [record(name, "swelling", v, "percent", y) for v, y in zip(SWELLING[name], SOC, strict=True)]
        found += [record(name, "work_of_adhesion", 1.0, "J/m2", y) for y in SOC]
        found += [record(name, prop, v, "eV" if "barrier" in prop else "eV/atom") for prop, v in OTHERS.items()]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose store also holds records of the toys."""
    folder = tmp_path_factory.mktemp("toys") / "run"
    folder.mkdir()
    store = RecordStore(folder / "store.db")
    for record in records():
        store.put_record(record)
    settings = Settings.model_validate({"adhesion": {"soc": SOC}})
    write_summary(folder / "summary.yaml", status="finished", settings=settings, candidates=candidates())
    return folder


def program(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`screen` with the toys in its table; its MLflow store stands beside the run."""
    environment = {**os.environ, "COLUMNS": "200", "MLFLOW_TRACKING_URI": f"sqlite:///{folder.parent}/mlflow.db"}
    return subprocess.run(
        [sys.executable, toy_properties.__file__, *map(str, arguments)],
        cwd=folder.parent, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(folder: Path) -> str:
    """What `screen rank RUN --write` prints."""
    done = program(folder, "rank", folder, "--write")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ranking_csv_has_its_columns_with_unit_and_interval(folder: Path, written: str) -> None:
    with (folder / "ranking.csv").open(encoding="utf-8") as file:
        rows = {row["candidate"]: row for row in csv.DictReader(file)}
    names = list(rows["LiNbO3"])
    front = ("ionic_conductivity_mS_cm", "swelling_max_percent", "swelling_y1_percent", "swelling_y0_percent")
    assert all(names.index("x") < names.index(name) < names.index("score") for name in front)
    assert names.index("thermal_expansion_1e_6_K") > names.index("flags")
    for name, row in rows.items():
        value, (low, high) = CONDUCTIVITY[name]
        assert float(row["ionic_conductivity_mS_cm"]) == value
        assert float(row["ionic_conductivity_mS_cm_low"]) == low
        assert float(row["ionic_conductivity_mS_cm_high"]) == high
        assert float(row["thermal_expansion_1e_6_K"]) == EXPANSION[name]
        assert float(row["swelling_max_percent"]) == max(SWELLING[name])
        assert float(row["swelling_y0_percent"]) == SWELLING[name][1]
    assert not [name for name in names if name.startswith(("thermal_expansion", "swelling")) and "_low" in name]


def test_it_counts_in_the_score_in_units_of_its_scale(folder: Path, written: str) -> None:
    document = json.loads((folder / "ranking.json").read_text(encoding="utf-8"))
    rows = {row["candidate"]: row for row in document["rows"]}
    # six ranked properties of weight 1; four are equal, expansion is not ranked
    assert rows["Mg_Li-vLi-1of12"]["score"] == pytest.approx(((3.5 - 1.0) / 0.5 + (4.0 - 2.5) / 2.0) / 6)
    assert rows["Zr_Nb-iLi-1of12"]["score"] == pytest.approx(((2.0 - 1.0) / 0.5 + (4.0 - 3.0) / 2.0) / 6)
    assert [row["candidate"] for row in document["rows"]] == ["Mg_Li-vLi-1of12", "Zr_Nb-iLi-1of12", "LiNbO3"]
    assert [o["name"] for o in document["objectives"]][-2:] == ["ionic_conductivity", "swelling"]
    assert document["objectives"][-1]["sign"] == -1
    units = {column["name"]: column["unit"] for column in document["columns"]}
    assert units["ionic_conductivity_mS_cm_low"] == "mS/cm"
    assert units["thermal_expansion_1e_6_K"] == "1e-6/K"
    assert units["swelling_y1_percent"] == "percent"
    assert {"max_thermal_expansion", "min_ionic_conductivity"} <= set(document["ranking_settings"])


def test_the_terminal_shows_it(written: str) -> None:
    lines = [" ".join(line.split()) for line in written.splitlines()]
    best = next(line for line in lines if "Mg_Li-vLi-1of12" in line)
    assert "3.50 (3.00–4.00) 9.0 2.5" in best
    assert any("cond." in line and "expansion" in line and "swelling" in line for line in lines)
    assert "selection rule or spread over hops or spread over toys, no standard error" in " ".join(lines)
    assert "cond. (ionic conductivity): larger is better" in " ".join(lines)
    assert "swelling: worst state of charge, smaller is better" in " ".join(lines)
    table_by_y = lines.index("Swelling, percent, at y Li per cathode formula unit")
    assert lines[table_by_y + 1].split("formula ")[1] == "y = 1 y = 0"


def test_mlflow_has_it_in_the_run_of_every_candidate(folder: Path, written: str) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder.parent}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "coatscreen")
    runs = client.search_runs([experiment.experiment_id])
    metrics = {
        r.data.tags["coatscreen.candidate"]: r.data.metrics for r in runs if "coatscreen.candidate" in r.data.tags
    }
    assert set(metrics) == set(CONDUCTIVITY)
    for name, found in metrics.items():
        assert found["ionic_conductivity_mS_cm"] == CONDUCTIVITY[name][0]
        assert found["ionic_conductivity_mS_cm_high"] == CONDUCTIVITY[name][1][1]
        assert found["thermal_expansion_1e_6_K"] == EXPANSION[name]
        assert found["swelling_max_percent"] == max(SWELLING[name])


def test_the_help_of_rank_names_its_weight_and_its_threshold(folder: Path) -> None:
    text = program(folder, "rank", "--help").stdout
    weights = next(line for line in text.splitlines() if "--weights" in line)
    assert "e_above_hull=1,ionic_conductivity=1,swelling=1;" in weights
    assert "thermal_expansion" not in weights
    lines = [" ".join(line.strip("│ ").split()) for line in text.splitlines()]
    for start, end in (
        ("--min-ionic-conductivity", "mS/cm"),
        ("--max-thermal-expansion", "1e-6/K"),
        ("--max-swelling", "percent, at the worst y"),
    ):
        assert any(line.startswith(start) and line.endswith(end) for line in lines), start


def test_its_weight_and_threshold_can_be_typed(folder: Path) -> None:
    done = program(
        folder, "rank", folder, "--weights", "ionic_conductivity=0", "--max-thermal-expansion", 20,
        "--max-swelling", 3.5, "--json",
    )  # fmt: skip
    rows = {row["candidate"]: row for row in json.loads(done.stdout)["rows"]}
    assert {name: row["rank"] for name, row in rows.items()} == {
        "Mg_Li-vLi-1of12": 1, "Zr_Nb-iLi-1of12": None, "LiNbO3": None,
    }  # fmt: skip
    assert rows["Mg_Li-vLi-1of12"]["score"] == pytest.approx((4.0 - 2.5) / 2.0 / 5)
    assert rows["Zr_Nb-iLi-1of12"]["flags"] == ["removed:max_thermal_expansion=20"]
    assert rows["LiNbO3"]["flags"] == ["removed:max_swelling=3.5"]
    refused = program(folder, "rank", folder, "--min-ionic-conductivity", 200)
    assert refused.returncode == 2
    assert "--min-ionic-conductivity is 200: no toy conducts better than 100 mS/cm" in refused.stderr


def test_a_run_of_before_has_no_records_of_it_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    store = RecordStore(folder / "store.db")
    for record in records():
        if table.find(record.property) is not None:
            store.put_record(record)
    settings = Settings.model_validate({"adhesion": {"soc": SOC}})
    write_summary(folder / "summary.yaml", status="finished", settings=settings, candidates=candidates())
    rows = json.loads(program(folder, "rank", folder, "--json").stdout)["rows"]
    assert all(row["rank"] is None and "missing:ionic_conductivity" in row["flags"] for row in rows)
    without = program(folder, "rank", folder, "--weights", "ionic_conductivity=0,swelling=0", "--json")
    assert sorted(row["rank"] for row in json.loads(without.stdout)["rows"]) == [1, 2, 3]


def test_the_documents_and_the_comparison_with_dft_take_it_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PROPERTIES", (*table.PROPERTIES, *toy_properties.TOYS))
    text = columns_document()
    assert "| `ionic_conductivity_mS_cm` | mS/cm | how well the toy conducts. **Ranked**, larger is better |" in text
    assert "`swelling_y*_percent`, `swelling_max_percent`" in text
    assert "| `--max-thermal-expansion` | `ranking.max_thermal_expansion` | 1e-6/K |" in text
    assert "spread over all toys of a box (`ionic_conductivity`)" in text


def test_the_worst_of_what_should_be_small_is_its_largest_value_also_where_dft_replaces_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "PROPERTIES", (*table.PROPERTIES, toy_properties.SWELLING))
    own = [r for r in records() if r.property in ("swelling", *OTHERS, "work_of_adhesion")]
    dft = [
        Record(
            candidate=r.candidate, property="swelling", value=(r.value or 0) + 1, unit="percent",
            fidelity="dft:vasp-pbe:kim2026", converged=True, potential="", checkpoint_sha256="", details=r.details,
        )
        for r in own
        if r.property == "swelling" and (r.candidate != "LiNbO3" or r.details["y"] == 1.0)
    ]  # fmt: skip
    # the settings are those of before: a threshold of what was entered later is none
    fields = yaml.safe_load(yaml.safe_dump(RankingSettings().model_dump()))
    settings = RankingSettings.model_validate(fields).model_copy(update={"max_swelling": None})
    ranking = rank([*own, *dft], candidates(), SOC, settings)
    rows = {row["candidate"]: row for row in ranking.flat()}
    assert rows["Mg_Li-vLi-1of12"]["swelling_max_percent"] == 3.5
    assert rows["Mg_Li-vLi-1of12"]["swelling_max_mlip_percent"] == 2.5
    assert rows["Mg_Li-vLi-1of12"]["swelling_max_dft_percent"] == 3.5
    assert rows["LiNbO3"]["swelling_max_percent"] == 4.0  # DFT at one state of charge says nothing about the worst
    assert "max_from_mlip:swelling" in rows["LiNbO3"]["flags"]
    assert [a.column for a in ranking.agreement if a.column.startswith("swelling_max")] == ["swelling_max_percent"]


def test_the_interval_of_a_score_is_drawn_from_the_worst_state_of_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PROPERTIES", (*table.PROPERTIES, toy_properties.SWELLING))
    host, magnesium = candidates()[:2]
    given = {
        (host.name, 1.0): (1.0, None), (host.name, 0.0): (5.0, None),
        (magnesium.name, 1.0): (0.5, (0.0, 1.0)), (magnesium.name, 0.0): (3.5, (3.0, 4.0)),
    }  # fmt: skip
    changed = [
        replace(r, value=given[r.candidate, r.details["y"]][0], interval=given[r.candidate, r.details["y"]][1])
        if r.property == "swelling"
        else r
        for r in records()
        if r.property != "ionic_conductivity" and r.candidate in (host.name, magnesium.name)
    ]
    settings = RankingSettings().model_copy(update={"max_swelling": None})
    row = rank(changed, [host, magnesium], SOC, settings).flat()[0]
    assert row["candidate"] == magnesium.name
    assert (row["swelling_max_percent_low"], row["swelling_max_percent_high"]) == (3.0, 4.0)
    # five ranked properties; the gain over the host's 5 is between 1 and 2
    assert 1 / 2 / 5 <= row["score_low"] < row["score"] < row["score_high"] <= 2 / 2 / 5
