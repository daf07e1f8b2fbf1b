"""Rounds of the placement search: when the parent is replaced, what is kept, and when the rounds end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from screening.campaign.stages.adhesion import later_rounds
from screening.campaign.stages.screened import Screened, Screening
from screening.chemistry.candidate import Candidate
from screening.chemistry.grid import enumerate_candidates
from screening.config import load_settings
from screening.engine.flows import Failed, Flow, FlowOutcome, Returned
from screening.engine.running.records import PotentialId
from screening.engine.tasks import Result
from screening.properties.adhesion.parent import ParentInterface
from screening.properties.adhesion.types import PlacementSearch, Trial

CANDIDATES = enumerate_candidates("Ta", "1/12").candidates
PRISTINE, DOPED = CANDIDATES[0].name, CANDIDATES[1].name


def result(energy: float) -> Result:
    atoms = Atoms("LiNbO3", positions=np.eye(5, 3) * 3)
    atoms.set_array("parent_index", np.arange(1, 6))
    atoms.set_array("region", np.ones(5, dtype=int))
    return Result(
        key=f"k{energy}", atoms=atoms, energy=energy, fmax=0.0, converged=True, n_steps=1, n_force_calls=1, wall_s=0.0
    )


def search(candidate: Candidate, energy: float, label: str = "first") -> PlacementSearch:
    found = result(energy)
    trial = Trial(label=label, where="contact", cut=found.atoms, interface=found, coating=found)
    return PlacementSearch(candidate=candidate, realised=candidate, trials=[trial], winner=0, relaxed=found)


class Script:
    """Stands for the queue: answers each stage with prepared outcomes and notes what was asked."""

    def __init__(self, *answers: Mapping[str, FlowOutcome]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def __call__(self, flows: Mapping[str, Flow], /) -> Mapping[str, Any]:
        self.asked.append(sorted(flows))
        return self.answers.pop(0)


@pytest.fixture
def screened() -> Screened:
    first = result(-100.0)
    parent = ParentInterface(
        cut=first.atoms,
        relaxed=first.atoms,
        geometry=None,
        result=first,
        coating=first,
        registry=(0, 0),
        gap=2.0,
    )
    return Screened(parent=parent)


@pytest.fixture
def searches() -> dict[str, PlacementSearch]:
    return {PRISTINE: search(CANDIDATES[0], -100.0), DOPED: search(CANDIDATES[1], -103.0)}


def screening(rounds: int, run: Script, candidates: list[Candidate] = CANDIDATES) -> Screening:
    return Screening(
        candidates=candidates,
        settings=load_settings("quick", None, {"adhesion": {"rounds": rounds}}),
        run=run,
        potential_id=PotentialId("model", "0" * 64),
        corrections="own-hull",
        keep=lambda record: None,
    )


def test_a_lower_pristine_interface_becomes_the_parent_of_another_round(screened, searches) -> None:
    lower = search(CANDIDATES[0], -102.0, "back")
    second = {
        f"search:{PRISTINE}": Returned(PRISTINE, search(CANDIDATES[0], -101.5, "again")),
        f"search:{DOPED}": Returned(DOPED, search(CANDIDATES[1], -105.0, "again")),
    }
    run = Script(
        {"back-substitution": Returned("b", lower)},
        second,
        {"back-substitution": Returned("b", search(CANDIDATES[0], -104.0, "last"))},
    )
    later_rounds(screening(2, run), searches, screened)
    assert screened.parent.result.energy == -102.0, "the second back-substitution has no third round to be a parent of"
    assert searches[DOPED].relaxed.energy == -105.0
    assert [t.label for t in searches[DOPED].trials] == ["first", "again"]
    assert searches[PRISTINE].relaxed.energy == -104.0
    assert len(run.asked) == 3


def test_nothing_lower_ends_the_rounds(screened, searches) -> None:
    run = Script({"back-substitution": Returned("b", searches[PRISTINE])})
    before = dict(searches)
    later_rounds(screening(3, run), searches, screened)
    assert searches == before
    assert screened.parent.result.energy == -100.0


def test_a_failed_later_round_leaves_the_earlier_one(screened, searches) -> None:
    run = Script(
        {"back-substitution": Returned("b", search(CANDIDATES[0], -102.0))},
        {
            f"search:{PRISTINE}": Failed(PRISTINE, "exploded"),
            f"search:{DOPED}": Failed(DOPED, "exploded"),
        },
        {"back-substitution": Failed("b", "exploded")},
    )
    later_rounds(screening(2, run), searches, screened)
    assert searches[DOPED].relaxed.energy == -103.0
    assert screened.failures[PRISTINE] == ["back-substitution: exploded"]


def test_a_congruent_host_is_never_compared_with_the_stoichiometric_one(screened, searches) -> None:
    grid = enumerate_candidates("Ta", "1/12", congruent=True).candidates
    renamed = {c.name: replace(s, candidate=c) for c, s in zip(grid, searches.values(), strict=True)}
    run = Script()
    later_rounds(screening(2, run, grid), renamed, screened)
    assert run.asked == []
