"""What is typed into YAML files and options: refused in one sentence before anything is computed, or read as meant."""

from pathlib import Path

import pytest

from screening.campaign.ranking.score import active_weights
from screening.config import Settings, load_settings, parse_soc
from screening.errors import UserError

BOMB = "\n".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9) if n else 'x'}]" for n in range(9))

REFUSED = {
    "infinite": ("bulk: {fmax: .inf}", "bulk.fmax", "finite"),
    "not a number": ("interface: {vacuum: .nan}", "interface.vacuum", "finite"),
    "nan in a list": ("adhesion: {soc: [1, .nan]}", "adhesion.soc.1", "finite"),
    "nan threshold": ("ranking: {max_e_above_hull: .nan}", "max_e_above_hull", "finite"),
    "negative weight": ("ranking: {weights: {work_of_adhesion: -5}}", "weights", "0 or more"),
    "nan weight": ("ranking: {weights: {work_of_adhesion: .nan}}", "weights", "finite"),
    "no weight": (
        "ranking: {weights: {work_of_adhesion: 0, migration_barrier: 0, oxidation_driving_force: 0, e_above_hull: 0}}",
        "weights",
        "positive weight",
    ),
    "unknown objective": ("ranking: {weights: {adhesion: 1}}", "unknown objective 'adhesion'", "work_of_adhesion"),
    "negative seed": ("seed: -1", "seed", "greater than or equal to 0"),
    "truth value": ("seed: true", "seed", "not true or false"),
    "no plane": ("interface: {coating_millers: [[0, 0, 0]]}", "millers", "0 0 0"),
    "huge Miller indices": ("interface: {cathode_millers: [[99, 98, 97]]}", "millers", "less than or equal to 9"),
    "nothing compensates": ("compensation: []", "compensation", "at least one"),
    "compensation twice": ("compensation: [self, self]", "compensation", "given twice"),
    "no gap": ("interface: {gaps: []}", "gaps", "at least one"),
    "gap twice": ("interface: {gaps: [2, 2]}", "gaps", "given twice"),
    "gap of nothing": ("interface: {gaps: [0]}", "gaps", "greater than 0"),
    "no registry": ("interface: {registry_grid: [0, 0]}", "registry_grid", "greater than or equal to 1"),
    "a million units": ("bulk: {n_fu: 1000000}", "bulk.n_fu", "less than or equal to 100"),
    "half a unit": ("bulk: {n_fu: 12.5}", "bulk.n_fu", "integer"),
    "octal": ("bulk: {n_fu: 012}", "bulk.n_fu", "should be a number"),
    "sexagesimal": ("bulk: {max_steps: 1:30}", "max_steps", "should be a number"),
    "no slab start": ("adhesion: {slab_starts: []}", "slab_starts", "at least one"),
    "volts": ("stability: {voltage: 43}", "voltage", "less than or equal to 8"),
    "decimal comma": ('bulk: {fmax: "0,05"}', "bulk.fmax", "write 0.05"),
    "decimal comma in a mapping": ("bulk: {fmax: 1,5}", "key 5 at line 1", "decimal sign is a point"),
    "a fraction of nothing": ("adhesion: {soc: [1, 1/0]}", "adhesion.soc", "divides by zero"),
    "one plane": ("interface: {coating_millers: [1, 1, 0]}", "coating_millers", "[[1, 1, 0]]"),
    "a plane in one number": ("interface: {cathode_millers: [110]}", "cathode_millers", "three Miller indices"),
    "four indices": ("interface: {coating_millers: [[1, 1, -2, 0]]}", "coating_millers", "three Miller indices"),
    "one in the place of a list": ("compensation: self", "compensation", "such as [self]"),
    "one of two": ("interface: {registry_grid: [4]}", "registry_grid", "too few values"),
    "three of two": ("interface: {registry_grid: [4, 4, 4]}", "registry_grid", "too many values"),
    "weights as a list": ("ranking: {weights: [1, 2]}", "weights", "`name: value` lines"),
    "a threshold below the hull": ("ranking: {max_e_above_hull: -0.1}", "max_e_above_hull is -0.1", "0 or more"),
    "a reaction that takes energy": ("ranking: {min_reaction_energy_cathode: 0.05}", "cathode is 0.05", "0 or less"),
    "no start of the cathode's slab": ("adhesion: {slab_starts: [parent, search]}", "parent, search", "add cut, half"),
    "outside its section": ("soc: [1]", "one of adhesion", "`adhesion: {soc: ...}`"),
    "in several sections": ("fmax: 0.1", "bulk, adhesion, migration, stability", "`bulk: {fmax: ...}`"),
    "with a dot": ("bulk.fmax: 0.1", "is not a setting", "`bulk: {fmax: ...}`"),
    "a tab before a key": ("bulk:\n\tfmax: 0.1", "line 2", "a tab indents it"),
    "no YAML": ("bulk:\n  fmax: 0.1\n   max_steps: 3", "line 3", "mapping values are not allowed here"),
    "a unit": ("bulk: {fmax: 0.05 eV}", "bulk.fmax", "should be a number"),
    "a number for a section": ("bulk: 5", "bulk", "`key: value` lines"),
    "an option": ("dopants: Mg", "dopants", "give --dopants there"),
    "contradiction": ("migration: {min_hops: 9, max_hops: 3}", "min_hops is 9", "at least migration.min_hops"),
    "key twice": ("seed: 1\nbulk: {fmax: 0.1}\nseed: 2", "'seed' is given at line 1", "line 3"),
    "nested key twice": ("bulk:\n  fmax: 0.1\n  fmax: 0.2", "'fmax' is given at line 2", "line 3"),
    "aliases without end": (BOMB, "stand for more than 20000 values", "line "),
    "alias of itself": ("a: &a [*a]", "line 1", "holds itself"),
    "a tag": ('seed: !!python/object/apply:os.system ["true"]', "python/object/apply:os.system", "not allowed"),
    "a key that is no name": ("1: 2", "the key 1", "no name"),
    "too deep": ("a: " + "[" * 3000 + "]" * 3000, "nested", "--config"),
    "too large": ("# " + "x" * 1_100_000, "larger than", "--config"),
}  # fmt: skip


AS_A_WHOLE = {
    "contradiction", "no start of the cathode's slab", "a threshold below the hull", "a reaction that takes energy",
}  # fmt: skip
"""Judged together with what the preset and the command line gave, so no file is named."""


@pytest.mark.parametrize("case", REFUSED, ids=list(REFUSED))
def test_a_value_without_a_meaning_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    text, *words = REFUSED[case]
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_settings("quick", file, {})
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert str(file) in message or case in AS_A_WHOLE
    assert "\n" not in message


def test_what_the_command_line_gave_is_named_by_its_option(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 3\n")
    for overrides, start in (
        ({"seed": -1}, "--seed: "),
        ({"seed": 2**32}, "--seed: "),
        ({"adhesion": {"soc": [1.0, 1.2]}}, "--soc: "),
        ({"site": "K"}, "--site: "),
    ):
        with pytest.raises(UserError) as caught:
            load_settings("quick", file, overrides)
        assert str(caught.value).startswith(start)


def test_numbers_are_read_as_meant(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text('bulk: {fmax: 5e-2, max_steps: "300"}\nseed: 12\n')
    settings = load_settings("quick", file, {})
    assert settings.bulk.fmax == 0.05
    assert settings.bulk.max_steps == 300
    assert settings.seed == 12


def test_anchors_of_a_reasonable_file_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("bulk: &steps {max_steps: 50}\nstability: *steps\n")
    settings = load_settings("quick", file, {})
    assert (settings.bulk.max_steps, settings.stability.max_steps) == (50, 50)


def test_one_weight_of_zero_leaves_its_objective_out() -> None:
    settings = Settings(ranking={"weights": {"work_of_adhesion": 0}})
    assert active_weights(settings.ranking.weights) == pytest.approx(
        {"migration_barrier": 1 / 3, "oxidation_driving_force": 1 / 3, "e_above_hull": 1 / 3}
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,5", "write 0.5"),
        ("1,0,5", "write 0.5"),
        ("0,1", "write 0.1 for the one number, or 0,1.0"),
        ("083", "begins with a zero; write 0.083 or 83"),
        ("00.5", "'00' begins with a zero; write 0 in"),
        ("1,1/03", "'03' begins with a zero; write 3 in"),
        ("nan", "not a list of numbers"),
        ("1e400", "not a list of numbers"),
        ("1e99999999999", "not a list of numbers"),
    ],
)
def test_states_of_charge_that_may_mean_something_else(text: str, words: str) -> None:
    with pytest.raises(UserError, match="--soc") as caught:
        parse_soc(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2/3,1/3,0", [1.0, 2 / 3, 1 / 3, 0.0]),
        ("1,0", [1.0, 0.0]),
        ("1,0.5", [1.0, 0.5]),
        ("⅔,1/3", [2 / 3, 1 / 3]),
    ],
)
def test_states_of_charge_that_are_clear(text: str, expected: list[float]) -> None:
    assert parse_soc(text) == expected


def test_fractions_and_tabs_are_read_as_meant(tmp_path: Path) -> None:
    """``soc: [1, 2/3]`` is how --soc is typed; editors leave tabs before comments and values."""
    file = tmp_path / "mine.yaml"
    file.write_text("adhesion: {soc: [1, 2/3, 1/3]}\t# as in the paper\nseed:\t3\n\t\nbulk:\n  fmax:\t'1/20'\t\n")
    settings = load_settings("quick", file, {})
    assert settings.adhesion.soc == [1.0, 2 / 3, 1 / 3]
    assert (settings.seed, settings.bulk.fmax) == (3, 0.05)
