import json

import pytest
import typer
from three_candidates import PROPERTIES, candidates, fill
from typer.testing import CliRunner

from screening.campaign.summary import write_summary
from screening.cli.commands.rank import rank_command
from screening.config import Settings
from screening.door.rank import parse_weights, ranking_settings
from screening.engine.running.store import RecordStore
from screening.errors import UserError
from screening.quantities.settings import RankingSettings
from screening.quantities.table import with_threshold


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "first"
    folder.mkdir()
    fill(RecordStore(folder / "store.db"))
    settings = Settings(adhesion={"soc": [1.0]})
    skipped = [{"label": "Zr4+ on Li", "x": 0.25, "reason": "no Li would be left"}]
    write_summary(
        folder / "summary.yaml", status="finished", settings=settings, candidates=list(candidates()), skipped=skipped
    )
    return folder


def invoke(*arguments):
    app = typer.Typer()
    app.command()(rank_command)
    return CliRunner(env={"COLUMNS": "140"}).invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def ranks(*arguments):
    rows = json.loads(invoke(*arguments, "--json").stdout)["rows"]
    return {row["candidate"]: row["rank"] for row in rows}


def test_the_table_is_printed_from_the_records(run):
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    result = invoke(run)
    assert result.exit_code == 0
    for word in ("first (finished)", "Mg_Li-vLi-1of12", "1.40", "[Li2/3Zr1/12]NbO3", "no Li would be left"):
        assert word in result.stdout
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


def test_weights_and_thresholds_change_the_order_without_computing(run):
    # scores: Mg (4 + 0.5 - 0.8) / 4, Zr (1 + 4 - 0.4) / 4
    assert ranks(run) == {"Zr_Li-vLi-1of12": 1, "Mg_Li-vLi-1of12": 2, "LiNbO3": 3}
    assert ranks(run, "--weights", "work_of_adhesion=3")["Mg_Li-vLi-1of12"] == 1
    assert ranks(run, "--max-e-above-hull", "0.015") == {
        "LiNbO3": 1, "Mg_Li-vLi-1of12": None, "Zr_Li-vLi-1of12": None,
    }  # fmt: skip
    assert ranks(run, "--min-work-of-adhesion", "1.2", "--max-migration-barrier", "0.9") == {
        "Mg_Li-vLi-1of12": 1, "LiNbO3": None, "Zr_Li-vLi-1of12": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("adhesion=1", "unknown objective"),
        ("work_of_adhesion", "write it as"),
        ("work_of_adhesion=x", "write it as"),
        ("work_of_adhesion=nan", "write it as"),
        ("e_above_hull=-1", "0 or more"),
        ("e_above_hull=inf", "0 or more"),
        ("e_above_hull=0,5", "write 0.5 for the one number"),
        ("e_above_hull=1,5,work_of_adhesion=2", "write 1.5 for the one number"),
        ("e_above_hull=1,e_above_hull=2", "given twice"),
    ],
)
def test_weights_that_cannot_be_read(text, word):
    with pytest.raises(UserError, match=word):
        parse_weights(text)


def test_bad_runs_and_thresholds_are_user_errors(run, tmp_path):
    with pytest.raises(UserError, match="there is no run"):
        invoke(tmp_path / "nowhere")
    with pytest.raises(UserError, match="--max-e-above-hull: it should be a finite number"):
        invoke(run, "--max-e-above-hull", "nan")
    every = ",".join(f"{name}=0" for name in PROPERTIES)
    with pytest.raises(UserError, match="all weights are 0"):
        invoke(run, "--weights", every)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("max_e_above_hull", -0.03, "--max-e-above-hull is -0.03"),
        ("max_migration_barrier", -1.0, "give 0 or more"),
        ("min_reaction_energy_electrolyte", 0.05, "--min-reaction-energy-electrolyte is 0.05"),
    ],
)
def test_a_threshold_that_removes_all_by_its_sign_is_refused_where_it_is_typed(name, value, says):
    with pytest.raises(UserError, match=says):
        ranking_settings(RankingSettings(), None, {name: value})
    stored = RankingSettings.model_validate({name: value})  # a run of before stays readable
    assert getattr(ranking_settings(stored, "work_of_adhesion=2", {name: None}), name) == value


def test_the_ranking_is_drawn_beside_what_is_printed(run, tmp_path):
    plot = tmp_path / "ranking.svg"
    result = invoke(run, "--plot", plot)
    assert result.stdout.endswith(f"Plot: {plot}\n")
    assert plot.read_bytes().startswith(b"<?xml")
    picture = tmp_path / "ranking.png"
    assert json.loads(invoke(run, "--plot", picture, "--json").stdout)["rows"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_written_is_refused_before_the_run_is_looked_for(tmp_path):
    with pytest.raises(UserError, match="a plot is written as png, svg, pdf"):
        invoke(tmp_path / "nowhere", "--plot", tmp_path / "ranking.jpg")


@pytest.mark.parametrize("limit", [entry.limit for entry in with_threshold()])
def test_every_threshold_that_is_typed_counts(run, limit):
    """-1 is nobody's reaction energy, 2 J/m2 is nobody's adhesion, and nobody's barrier lies below 0.001."""
    value = {"min_reaction_energy_cathode": "-1", "min_reaction_energy_electrolyte": "-1", "min_work_of_adhesion": "2"}
    result = invoke(str(run), f"--{limit.replace('_', '-')}", value.get(limit, "0.001"), "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)["rows"]
    assert rows
    for row in rows:
        assert any(flag.startswith(f"removed:{limit}=") for flag in row["flags"]), row
