"""The comparison with published windows, on the shipped energies."""

import json

import pytest
import windows

LISTED = {"LiNbO3", "Li3PS4", "Li6PS5Cl", "Li2S", "LiCl"}


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("windows") / "windows.json"
    windows.main(["--json", str(path)])
    return json.loads(path.read_text())


def test_every_published_compound_has_a_row_for_every_potential(document):
    potentials = set(document["mae_V"])
    assert {"chgnet", "sevennet-0", "sevennet-l3i5"} <= potentials
    for potential in potentials:
        compounds = [r["compound"] for r in document["rows"] if r["potential"] == potential]
        assert set(compounds) >= LISTED
        assert len(compounds) == len(set(compounds)) == len(windows.published_windows())


def test_mean_errors_follow_from_the_rows_and_meet_the_target(document):
    for potential, mae in document["mae_V"].items():
        rows = [r for r in document["rows"] if r["potential"] == potential]
        ends = [
            abs(r[f"{end}_V"] - r[f"published_{end}_V"])
            for r in rows
            for end in ("reduction", "oxidation")
            if r[f"published_{end}_V"] is not None
        ]
        assert mae == pytest.approx(sum(ends) / len(ends))
        assert mae <= 0.20


def test_lithium_niobate_is_within_its_tolerance_for_some_potential(document):
    rows = [r for r in document["rows"] if r["compound"] == "LiNbO3"]
    worst = [
        max(abs(r["reduction_V"] - r["published_reduction_V"]), abs(r["oxidation_V"] - r["published_oxidation_V"]))
        for r in rows
    ]
    assert min(worst) <= 0.15


def test_a_compound_without_a_window_may_not_drop_out():
    row = {"compound": "X", "potential": "p", "reduction_V": None, "published_reduction_V": 1.0,
           "oxidation_V": 3.0, "published_oxidation_V": None}  # fmt: skip
    with pytest.raises(ValueError, match="no computed reduction"):
        windows.errors([row])
