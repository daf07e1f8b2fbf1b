"""The table of properties agrees with itself, with stored settings and with the document that is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from screening.campaign.outputs import unit_of
from screening.campaign.ranking.rows import Ranking
from screening.errors import UserError
from screening.quantities import table
from screening.quantities.property import Header, Property, Score, Threshold, column_name
from screening.quantities.settings import RankingSettings, check_threshold, check_weights
from screening.report.columns import columns_document

DOCUMENT = Path(__file__).parents[2] / "docs" / "columns.md"


def prop(**fields: object) -> Property:
    return Property(**{"name": "toy", "unit": "eV", "meaning": "a toy", **fields})  # type: ignore[arg-type]


def test_the_document_is_that_of_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == columns_document()


def test_no_two_properties_share_a_name_a_setting_or_a_column() -> None:
    names = [entry.name for entry in table.PROPERTIES]
    limits = [entry.limit for entry in table.with_threshold()]
    assert len(set(names)) == len(names)
    assert len(set(limits)) == len(limits)
    columns = Ranking(rows=(), soc=(1.0, 0.0), settings=RankingSettings()).columns()
    assert len(set(columns)) == len(columns)
    assert table.find("work_of_adhesion") is not None
    assert table.find("band_gap") is None


@pytest.mark.parametrize("entry", table.PROPERTIES, ids=lambda entry: entry.name)
def test_an_entry_is_complete(entry: Property) -> None:
    assert entry.meaning
    assert not entry.meaning.endswith(".")
    assert unit_of(entry.column()) == unit_of(f"{entry.column()}_high") == entry.unit
    if entry.score is not None:
        assert entry.score.scale > 0
        assert entry.score.why
    if entry.header is not None:
        others = [name for name in (entry.header.beside, entry.header.up_to) if name is not None]
        assert all(table.find(name) is not None for name in others)


def test_columns_end_with_their_unit() -> None:
    assert table.named("work_of_adhesion").column("y0.333") == "work_of_adhesion_y0.333_J_m2"
    assert table.named("work_of_adhesion").column() == "work_of_adhesion_min_J_m2"
    assert table.named("e_above_hull").column() == "e_above_hull_eV_atom"
    assert table.named("window_oxidation").column() == "window_oxidation_V"
    assert column_name("adhesion_energy", "eV", "y1") == "adhesion_energy_y1_eV"
    assert column_name("ratio", "") == "ratio"


OF_BEFORE = """\
weights:
  work_of_adhesion: 1.0
  migration_barrier: 1.0
  oxidation_driving_force: 1.0
  e_above_hull: 1.0
max_e_above_hull: null
min_work_of_adhesion: null
max_migration_barrier: null
min_reaction_energy_cathode: null
min_reaction_energy_electrolyte: null
"""
"""What summary.yaml of stored runs holds under ``ranking``."""


def test_settings_of_before_are_dumped_as_before_and_read() -> None:
    """What is entered in the table later adds lines; none goes, moves or gets another value."""
    dump = yaml.safe_dump(RankingSettings().model_dump(mode="json"), sort_keys=False)
    of_before = OF_BEFORE.splitlines()
    assert [line for line in dump.splitlines() if line in of_before] == of_before
    added = [line.split(":")[0].strip() for line in dump.splitlines() if line not in of_before]
    assert set(added) <= {entry.limit for entry in table.with_threshold()} | {entry.name for entry in table.ranked()}
    stored = RankingSettings.model_validate(yaml.safe_load(OF_BEFORE))
    assert all(getattr(stored, entry.limit) is None for entry in table.with_threshold())


def test_a_threshold_of_the_table_is_a_setting_with_all_checks_of_settings() -> None:
    for entry in table.with_threshold():
        assert RankingSettings.model_fields[entry.limit].description == entry.limit_help
        with pytest.raises(ValueError, match="finite number"):
            RankingSettings.model_validate({entry.limit: float("nan")})
    with pytest.raises(ValueError, match="Extra inputs"):
        RankingSettings.model_validate({"max_oxidation_driving_force": 0.1})


def test_a_threshold_that_every_candidate_misses_is_refused_by_the_sense_of_its_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toys = (
        prop(name="up", better="larger", threshold=Threshold(sense=2.0, nonsense="none is above 2")),
        prop(name="down", better="smaller", threshold=Threshold(sense=-1.0, nonsense="none is below -1")),
        prop(name="free", better="smaller", threshold=Threshold()),
    )
    monkeypatch.setattr(table, "PROPERTIES", toys)
    for name, value in (("min_up", 2.0), ("max_down", -1.0), ("max_free", -1e9)):
        check_threshold(name, value, "--it")
    for name, value, says in (("min_up", 2.1, "none is above 2"), ("max_down", -1.1, "none is below -1")):
        with pytest.raises(UserError, match=f"--it is {value}: {says}"):
            check_threshold(name, value, "--it")


def test_weights_are_those_of_what_is_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PROPERTIES", (prop(better="larger", score=Score(scale=1.0, why="toy")),))
    assert RankingSettings().weights == {"toy": 1.0}
    check_weights({"toy": 2.0})
    with pytest.raises(ValueError, match=r"unknown objective 'e_above_hull'.*'toy'"):
        check_weights({"e_above_hull": 1.0})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"score": Score(scale=1.0, why="toy")}, "larger or smaller"),
        ({"threshold": Threshold()}, "larger or smaller"),
        ({"per_y": True}, "larger or smaller"),
        ({"unit": "%"}, "in letters"),
        ({"name": "my-toy"}, "letters, digits and underscores"),
    ],
)
def test_an_entry_that_says_too_little_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        prop(**fields)


def test_an_unranked_property_needs_nothing_but_name_unit_and_meaning() -> None:
    entry = prop(header=Header(text="toy", decimals=1))
    assert (entry.sign, entry.column(), entry.column("mlip")) == (0, "toy_eV", "toy_mlip_eV")
