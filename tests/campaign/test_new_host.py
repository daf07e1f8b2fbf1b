"""A host that is added as one file goes all the way: accepted by name, planned, and its competing phases found."""

from pathlib import Path

import pytest

from screening import screen
from screening.campaign.ranking.labels import formula
from screening.campaign.validate import competing_phase_jobs
from screening.errors import UserError


def test_a_new_host_is_screened_like_any_other(antimonate: str, tmp_path: Path) -> None:
    planned = screen(dopants="Mg,Ta", x="1/12", host=antimonate, preset="quick", out=tmp_path / "run", dry_run=True)
    assert [c.host for c in planned.candidates] == [antimonate] * len(planned.candidates)
    assert {formula(c) for c in planned.candidates} >= {"LiSbO3", "[Li5/6Mg1/12]SbO3", "Li[Sb11/12Ta1/12]O3"}
    assert sum(step.tasks for step in planned.cost.steps) > 0


def test_phases_that_compete_with_it_hold_its_own_framework_cation(antimonate: str, tmp_path: Path) -> None:
    planned = screen(dopants="Mg", x="1/12", host=antimonate, preset="quick", out=tmp_path / "run", dry_run=True)
    elements = {symbol for job in competing_phase_jobs(planned.candidates, []) for symbol in job.atoms.symbols}
    assert elements == {"Li", "Sb", "O", "Mg"}


def test_without_its_file_it_is_no_host(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no host 'ToyLSO'"):
        screen(dopants="Mg", x="1/12", host="ToyLSO", out=tmp_path / "run", dry_run=True)
