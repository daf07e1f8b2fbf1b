"""Presets, the user's file and the command line: who wins, and what is refused."""

from pathlib import Path

import pytest

from screening.config import Settings, load_settings, parse_soc, preset_names
from screening.errors import UserError


@pytest.mark.parametrize("name", ["quick", "standard", "accurate"])
def test_every_preset_loads_and_states_what_the_issue_asks_for(name: str) -> None:
    settings = load_settings(name, None, {})
    assert settings.preset == name
    assert set(preset_names()) >= {"quick", "standard", "accurate"}
    assert settings.adhesion.soc[0] == 1.0


def test_standard_obeys_the_physics_section_of_the_design() -> None:
    s = load_settings("standard", None, {})
    assert s.interface.min_planes >= 4
    assert s.interface.min_thickness >= 8.0
    assert s.interface.vacuum >= 15.0
    assert s.adhesion.vacancy_orders >= 3
    assert s.migration.min_image_distance >= 9.0
    assert s.migration.n_fu == 24


def test_command_line_wins_over_file_and_file_over_preset(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("preset: quick\nseed: 3\nbulk: {fmax: 0.2}\nadhesion: {soc: [1, 0.5]}\n")
    s = load_settings(None, file, {"seed": 7, "adhesion": {"soc": [1.0, 0.0]}})
    assert (s.preset, s.seed, s.bulk.fmax) == ("quick", 7, 0.2)
    assert s.adhesion.soc == [1.0, 0.0]
    assert s.adhesion.contact_placements == load_settings("quick", None, {}).adhesion.contact_placements


def test_states_of_charge_are_parsed_as_fractions_and_sorted() -> None:
    soc = parse_soc("0, 2/3,1,1/3")
    assert soc == [0.0, 2 / 3, 1.0, 1 / 3]
    assert load_settings("quick", None, {"adhesion": {"soc": soc}}).adhesion.soc == [1.0, 2 / 3, 1 / 3, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adhesion: {contact_placement: 3}", "contact_placements"),
        ("sede: 1", "seed"),
        ("preset: standart", "standard"),
        ("adhesion: {soc: [1, 1.2]}", "1.2"),
        ("bulk: {fmax: -1}", "greater than 0"),
        ("[1, 2]", "key: value"),
        ("a: b: c", "not a YAML file at line 1"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_settings(None, file, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_values_of_soc() -> None:
    for text in ("a", "1/0", "1;2", ""):
        with pytest.raises(UserError, match="--soc"):
            parse_soc(text)


def test_settings_do_not_change_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 2  # type: ignore[misc]
