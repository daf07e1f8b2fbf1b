"""Flows: computations that ask for tasks, wait for their results, and return something of a type of their own.

A property, a search and a crystal are flows alike. `compute` is how a flow asks for several tasks and gets each result
under the name it gave the task; what a flow came to is `Returned` or `Failed`.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from screening.engine.tasks import Result, Task
from screening.errors import CandidateFailed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Tag = TypeVar("Tag", bound=Hashable)

Flow: TypeAlias = Generator[list[Task], list[Result], T]
"""Yields lists of tasks, receives their results in the same order, and returns a T."""


def compute(tasks: Mapping[Tag, Task]) -> Flow[dict[Tag, Result]]:
    """Ask for `tasks`, in their order, and return each result under its task's tag: ``yield from compute(tasks)``."""
    results = yield list(tasks.values())
    return dict(zip(tasks, results, strict=True))


@dataclass(frozen=True)
class Returned(Generic[T_co]):
    """What a flow returned."""

    name: str
    value: T_co
    failure: None = None


@dataclass(frozen=True)
class Failed:
    """Why a flow could not go on, in words."""

    name: str
    failure: str


FlowOutcome: TypeAlias = Returned[T] | Failed
"""``if outcome.failure is None`` tells a reader, and the type checker, that there is a value."""


def needed(outcome: FlowOutcome[T]) -> T:
    """What a flow returned.

    Raises
    ------
    CandidateFailed
        With the flow's name and reason, when it failed.
    """
    if outcome.failure is not None:
        raise CandidateFailed(f"{outcome.name}: {outcome.failure}")
    return outcome.value


class RunFlows(Protocol):
    """Runs named flows as one queue and returns what each came to (`running.queue.run_flows` with the rest bound)."""

    def __call__(self, flows: Mapping[str, Flow[T]], /) -> Mapping[str, FlowOutcome[T]]: ...


class Pending(Generic[T]):
    """A flow of a `FlowSet` and, once that has run, its outcome."""

    def __init__(self, name: str, flow: Flow[T]) -> None:
        self.name = name
        self.flow = flow
        self._outcome: FlowOutcome[T] | None = None

    @property
    def outcome(self) -> FlowOutcome[T]:
        if self._outcome is None:
            raise RuntimeError(f"the flow {self.name} has not been run yet")
        return self._outcome


class FlowSet:
    """Flows that return different types and share one queue; each is handed out so that its outcome keeps its type.

    >>> together = FlowSet()
    >>> host = together.add("host", host_flow(...))
    >>> phases = together.add("phases", phases_flow(...))
    >>> together.run(run)
    >>> needed(host.outcome)  # a Crystal
    """

    def __init__(self) -> None:
        self._pending: dict[str, Pending[Any]] = {}  # Any: `add` gave every one of them its own type

    def add(self, name: str, flow: Flow[T]) -> Pending[T]:
        """Put a flow behind those that are there.

        Raises
        ------
        ValueError
            For a name that is taken.
        """
        if name in self._pending:
            raise ValueError(f"there is a flow {name} already")
        pending = Pending(name, flow)
        self._pending[name] = pending
        return pending

    def run(self, run: RunFlows) -> None:
        """Run all of them as one queue."""
        outcomes = run({name: pending.flow for name, pending in self._pending.items()})
        for name, pending in self._pending.items():
            pending._outcome = outcomes[name]
