"""A dry run that passes means that the run can start."""

from pathlib import Path

import pytest

from screening.campaign.checks import check_workers
from screening.campaign.prepare import prepare
from screening.campaign.request import Campaign
from screening.campaign.summary import write_summary
from screening.errors import UserError
from screening.properties.stability import competing
from screening.properties.stability.competing import check_competition, check_supported
from screening.structures.crystals.crystals import load_crystal
from screening.structures.interfaces.interface import find_parents


def planned(tmp_path: Path, text: str = "", **given: object) -> Campaign:
    config = tmp_path / "mine.yaml"
    config.write_text(text)
    options = {"dopants": "Mg", "x": "1/12", "preset": "quick", "out": tmp_path / "run", "device": "cpu", "workers": 1}
    return prepare(**(options | {"config": config, "overrides": {}} | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bulk: {n_fu: 13}", ["bulk.n_fu is 13", "multiple of 2"]),
        ("migration: {n_fu: 25}", ["migration.n_fu is 25", "multiple of 2"]),
        ("migration: {n_fu: 2}", ["migration.n_fu is 2", "would leave no Li"]),
        ("migration: {max_hop_distance: 1.5}", ["max_hop_distance = 1.5 A", "4.2 A"]),
        ("cathode: NCM812", ["NCM811"]),
        ("host: LiNbO3:congruent", ["`host: LiNbO3`", "`congruent: true`"]),
        ("stability: {electrolyte: LPS}", ["LPSCB"]),
    ],
)
def test_cells_and_crystals_that_do_not_exist(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        planned(tmp_path, text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("preset", ["quick", "standard", "accurate"])
@pytest.mark.parametrize("host", ["LiNbO3", "LiTaO3", "Li3NbO4"])
def test_every_preset_passes_for_every_host(tmp_path: Path, preset: str, host: str) -> None:
    campaign = planned(tmp_path, preset=preset, overrides={"host": host})
    assert len(campaign.grid.candidates) > 1


def test_only_the_host_may_be_asked_for(tmp_path: Path) -> None:
    assert [c.name for c in planned(tmp_path, x="0").grid.candidates] == ["LiNbO3"]
    with pytest.raises(UserError, match="pristine host"):
        planned(tmp_path, dopants="Mg:Ta=999:1")


def test_a_content_that_does_not_fit_is_named_before_a_place_that_does_not(tmp_path: Path) -> None:
    """Mg:Ta=2:1 takes three dopants: at 1/12 the content is what has to change, not the dopants or the site."""
    with pytest.raises(
        UserError, match=r"neutral only in multiples of 3 dopants.*contents are multiples of 1/12"
    ) as caught:
        planned(tmp_path, dopants="Mg:Ta=2:1")
    assert "Ta_Li" not in str(caught.value)


def test_elements_that_the_potential_never_saw() -> None:
    check_supported("chgnet", {"Li", "Nb", "O", "Pu"})
    check_supported("ase:anything:factory", {"Cf"})
    for potential in ("chgnet", "sevennet-0"):
        with pytest.raises(UserError, match=f"{potential} was not trained on Am, Cf"):
            check_supported(potential, {"Li", "Cf", "Am"})


def test_an_element_without_any_competing_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    check_competition([{"Li", "Nb", "O", "Mg"}])
    # of Ru none are listed; predicting some works and takes seconds, so nothing is predicted here
    monkeypatch.setattr(competing, "predicted_phases", lambda system, listed, **_: [])
    with pytest.raises(UserError, match="no competing phases of Ru are listed or can be predicted"):
        check_competition([{"Li", "Nb", "O", "Mg"}, {"Li", "Nb", "O", "Ru"}])


def test_workers_are_bounded_by_the_cores() -> None:
    check_workers(None, 1)
    check_workers(8, 2)
    with pytest.raises(UserError, match="--workers 9 is more than 4 for each of the 2 cores"):
        check_workers(9, 2)


def test_a_surface_larger_than_the_largest_interface_is_refused_at_once(tmp_path: Path) -> None:
    settings = planned(tmp_path, "interface: {coating_millers: [[9, 8, 7]]}").settings
    with pytest.raises(UserError, match=r"\(9 8 7\) surface has 355 A\^2, more than interface.max_area = 200"):
        find_parents(load_crystal("LiNbO3"), load_crystal("NCM811"), "NCM811", settings.interface, 0)


def test_another_campaign_of_the_same_day_gets_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = planned(tmp_path, out=None)
    assert planned(tmp_path, out=None).out == first.out
    first.out.mkdir(parents=True)
    write_summary(first.out / "summary.yaml", fingerprint=first.fingerprint, **first.identity)
    assert planned(tmp_path, out=None).out == first.out, "the same campaign goes on"
    other = planned(tmp_path, out=None, overrides={"seed": 7})
    assert other.out == first.out.with_name(f"{first.out.name}-2")
    other.out.mkdir()
    write_summary(other.out / "summary.yaml", fingerprint=other.fingerprint, **other.identity)
    assert planned(tmp_path, out=None, overrides={"seed": 7}).out == other.out
    assert planned(tmp_path, out=None, overrides={"seed": 8}).out.name.endswith("-3")
    with pytest.raises(UserError, match=r"different campaign.*its seed is 7, yours 0"):
        planned(tmp_path, out=other.out)
