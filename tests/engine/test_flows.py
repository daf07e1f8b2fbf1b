"""How flows ask for tasks, and how flows of different types share a queue."""

from collections.abc import Mapping
from typing import TypeVar

import pytest
from ase import Atoms

from screening.engine.flows import Failed, Flow, FlowOutcome, FlowSet, Returned, compute, needed
from screening.engine.tasks import RelaxTask, Result
from screening.errors import CandidateFailed

T = TypeVar("T")


def task(n: int) -> RelaxTask:
    return RelaxTask(recipe={"n": n}, atoms=Atoms("Li"))


def result(energy: float) -> Result:
    return Result(
        key="k", atoms=Atoms("Li"), energy=energy, fmax=0.0, converged=True, n_steps=0, n_force_calls=1, wall_s=0.0
    )


def run(flows: Mapping[str, Flow[T]], /) -> dict[str, FlowOutcome[T]]:
    """Answer every task with its number as energy, and fail a flow that raises."""
    outcomes: dict[str, FlowOutcome[T]] = {}
    for name, flow in flows.items():
        try:
            tasks = next(flow)
            while True:
                tasks = flow.send([result(float(each.recipe["n"])) for each in tasks])
        except StopIteration as end:
            outcomes[name] = Returned(name, end.value)
        except CandidateFailed as error:
            outcomes[name] = Failed(name, str(error))
    return outcomes


def test_every_result_comes_back_under_the_tag_of_its_task_and_tasks_keep_their_order() -> None:
    flow = compute({"interface": task(3), ("coating", 0): task(1), "substrate": task(2)})
    assert [each.recipe["n"] for each in next(flow)] == [3, 1, 2]
    with pytest.raises(StopIteration) as end:
        flow.send([result(-3.0), result(-1.0), result(-2.0)])
    found = end.value.value
    assert {tag: each.energy for tag, each in found.items()} == {
        "interface": -3.0, ("coating", 0): -1.0, "substrate": -2.0,
    }  # fmt: skip


def test_a_missing_result_is_never_passed_over() -> None:
    flow = compute({"a": task(1), "b": task(2)})
    next(flow)
    with pytest.raises(ValueError, match="zip"):
        flow.send([result(1.0)])


def total(*numbers: int) -> Flow[float]:
    found = yield from compute({n: task(n) for n in numbers})
    return sum(each.energy for each in found.values())


def label(n: int) -> Flow[str]:
    (found,) = yield [task(n)]
    if found.energy > 5:
        raise CandidateFailed("too high")
    return f"{found.energy:.0f} eV"


def test_flows_of_different_types_run_together_and_each_gets_its_own_outcome() -> None:
    flows = FlowSet()
    energy, text, high = flows.add("energy", total(1, 2)), flows.add("text", label(4)), flows.add("high", label(6))
    with pytest.raises(RuntimeError, match="text has not been run"):
        _ = text.outcome
    flows.run(run)
    assert needed(energy.outcome) + 1 == 4.0
    assert needed(text.outcome).upper() == "4 EV"
    assert high.outcome.failure == "too high"
    with pytest.raises(CandidateFailed, match="high: too high"):
        needed(high.outcome)


def test_two_flows_of_one_name_are_refused() -> None:
    flows = FlowSet()
    flows.add("host", total(1))
    with pytest.raises(ValueError, match="host"):
        flows.add("host", label(1))
