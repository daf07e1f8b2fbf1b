import pytest

from screening.door.retrain import RetrainOptions, check_training, parse_held_out
from screening.errors import UserError


def test_a_share_or_names_are_held_out() -> None:
    assert parse_held_out("0.2") == 0.2
    assert parse_held_out("LiNbO3, MgO") == ["LiNbO3", "MgO"]
    assert parse_held_out("run-01,Mg_Li-vLi-1of12") == ["run-01", "Mg_Li-vLi-1of12"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,2", "write 0.2 for the one number"),
        ("02", "write 0.02 or 2"),
        ("2", "between 0 and 1"),
        ("nan", "between 0 and 1"),
    ],
)
def test_a_share_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match="--held-out") as caught:
        parse_held_out(text)
    assert words in str(caught.value)


def test_seeds_and_epochs_are_bounded() -> None:
    check_training(RetrainOptions("data", seed=2**32 - 1, epochs=30))
    for seed, epochs, option in ((-1, 30, "--seed is -1"), (2**32, 30, "--seed"), (0, 10**9, "--epochs")):
        with pytest.raises(UserError, match=option):
            check_training(RetrainOptions("data", seed=seed, epochs=epochs))
