"""Bands between two relaxed end points, by as few force calls as the path needs.

How the path is found is written as a generator (`climbed_path`, and `whole_band` where that gives nothing): it asks for
positions and receives evaluated samples. A band is such a generator under way, together with a log of everything it was
given. The log is its checkpoint: replayed, it brings the generator to where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.engine.batch import Outcome, exploded
from screening.engine.checkpoints import Checkpoint
from screening.engine.coordinates import frozen_mask
from screening.engine.paths.bands import highest_interior
from screening.engine.paths.climbed_path import Rules, climbed_path
from screening.engine.paths.endpoints import check_compatible, check_end_points
from screening.engine.paths.idpp import interpolate, unwrapped_displacement
from screening.engine.paths.path import Ends, ReactionPath, Sample
from screening.engine.paths.whole_band import converge_band
from screening.engine.tasks import NebTask, Result
from screening.flags import flag

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]
Walk = Generator[list[Array], list[Sample], ReactionPath]

MAX_LOST_CALLS = 10
"""Force calls of one band that a kill may cost."""
METHOD = 2
"""Version of the way paths are found: a checkpoint of another one cannot be replayed."""


@dataclass(kw_only=True)
class Band:
    """One band under way: N atoms, between relaxed end points.

    With a climbing image it converges when the largest true force on any free atom of the saddle is at most the task's
    `fmax` and no other point of the path is as high; without one, or where no saddle was found, when the largest NEB
    force on any atom of any image is. A rigid translation between the end points is removed when no atom is frozen.
    ``info["flags"]`` of its result lists ``intermediate_minimum`` (the path runs through another minimum),
    ``no_interior_maximum`` (an end point is highest) and ``linear_interpolation`` (IDPP made atoms collide).

    `wanted` are the positions to evaluate next, `log` is every sample so far, in order; `unsaved` of them are in no
    checkpoint. `guess` says how the first guess was made.
    """

    task: NebTask
    key: str
    checkpoint: Checkpoint | None
    ends: Ends
    walk: Walk
    guess: str
    wanted: list[Array] = field(default_factory=list)
    structures: list[Atoms] = field(default_factory=list)
    log: list[Sample] = field(default_factory=list)
    path: ReactionPath | None = None
    n_rounds: int = 0
    unsaved: int = 0
    wall_s: float = 0.0
    failure: str | None = None

    @classmethod
    def start(cls, task: NebTask, key: str, checkpoint: Checkpoint | None) -> Band:
        """The band at its first guess, or where its checkpoint left it.

        Raises
        ------
        ValueError
            When the end points do not make a band; the reason is in words.
        """
        check_compatible(task)
        frozen = frozen_mask(task.initial) | frozen_mask(task.final)
        displacement = unwrapped_displacement(task.initial, task.final, remove_drift=not frozen.any())
        check_end_points(task, displacement, frozen)
        still = np.zeros_like(task.initial.positions)
        first, last = task.initial.positions, task.initial.positions + displacement
        ends = Ends(
            atoms=task.initial,
            free=~frozen,
            initial=Sample(positions=first, energy=task.initial_energy, forces=still),
            final=Sample(positions=last, energy=task.final_energy, forces=still),
        )
        guess = interpolate(task.initial, displacement, 3, ~frozen)
        walk = find_path(task, ends, displacement, guess[0])
        band = cls(task=task, key=key, checkpoint=checkpoint, ends=ends, walk=walk, guess=guess[1])
        band.wanted = next(walk)
        band._restore()
        return band

    @property
    def done(self) -> bool:
        """Whether there is a path, or a reason why there is none."""
        return self.path is not None or self.failure is not None

    @property
    def needs_stress(self) -> bool:
        """Never: the cell is fixed."""
        return False

    def pending(self) -> list[Atoms]:
        """What to evaluate next; the same objects are moved as long as they suffice."""
        while len(self.structures) < len(self.wanted):
            self.structures.append(self.task.initial.copy())
        asked = self.structures[: len(self.wanted)]
        for atoms, positions in zip(asked, self.wanted, strict=True):
            atoms.set_positions(positions, apply_constraint=False)
        return asked

    def advance(self, outcomes: Sequence[Outcome]) -> None:
        """Take in what was asked for: finish, fail, or ask for more."""
        self.wall_s += sum(outcome.wall_s for outcome in outcomes)
        samples = []
        for number, (atoms, outcome) in enumerate(zip(self.structures, outcomes, strict=False), start=1):
            evaluation, reason = outcome.evaluation, outcome.failure
            if evaluation is not None and reason is None:
                reason = exploded(atoms, evaluation.energy, None, self.task.initial_energy)
            if evaluation is None or reason is not None:
                self.failure = f"image {number}: {reason}"
                return
            forces = np.where(self.ends.free[:, None], evaluation.forces, 0.0)
            samples.append(Sample(positions=atoms.positions.copy(), energy=evaluation.energy, forces=forces))
        self.unsaved += len(samples)
        self._take(samples)

    def _take(self, samples: list[Sample]) -> None:
        self.log += samples
        self.n_rounds += 1
        try:
            self.wanted = self.walk.send(samples)
        except StopIteration as end:
            self.path = end.value

    def result(self) -> Result:
        """The path; `atoms` is its saddle (or highest image), flags are in `atoms.info`."""
        path = self.path
        common: dict[str, Any] = {
            "key": self.key,
            "n_steps": max(self.n_rounds - 1, 0),
            "n_force_calls": len(self.log),
            "wall_s": self.wall_s,
            "failure": self.failure,
        }
        if path is None:
            nothing = float("nan")
            return Result(atoms=self.task.initial.copy(), energy=nothing, fmax=nothing, converged=False, **common)
        images = [self.ends.placed(sample.positions) for sample in path.samples]
        images[-1].set_constraint(self.task.final.constraints)
        top = int(np.argmax(path.energies))
        atoms = images[top].copy()
        atoms.info["flags"] = [*atoms.info.get("flags", []), *self._flags(path)]
        return Result(
            atoms=atoms,
            energy=float(path.energies[top]),
            fmax=path.fmax,
            converged=path.converged,
            images=images,
            image_energies=path.energies.tolist(),
            **common,
        )

    def _flags(self, path: ReactionPath) -> list[str]:
        found = {
            flag("intermediate_minimum"): path.valley,
            flag("no_interior_maximum"): highest_interior(path.energies) is None,
            flag("linear_interpolation"): self.guess == "linear",
        }
        return [name for name, present in found.items() if present]

    def save_due(self) -> bool:
        """When the next round could make it more than MAX_LOST_CALLS that a kill costs."""
        return self.unsaved + len(self.wanted) > MAX_LOST_CALLS

    def save(self) -> None:
        """Write the log; a finished band keeps its checkpoint until the driver has stored the result."""
        if self.checkpoint is None:
            return
        arrays = {
            "numbers": self.task.initial.numbers,
            "positions": np.array([sample.positions for sample in self.log]),
            "energies": np.array([sample.energy for sample in self.log]),
            "forces": np.array([sample.forces for sample in self.log]),
        }
        facts = {"kind": "neb", "method": METHOD, "key": self.key, "wall_s": self.wall_s, "failure": self.failure}
        self.checkpoint.save(arrays, facts)
        self.unsaved = 0

    def _restore(self) -> None:
        """Replay the log of a checkpoint."""
        stored = self.checkpoint.load() if self.checkpoint is not None else None
        if stored is None:
            return
        arrays, facts = stored
        same = facts.get("key") == self.key and np.array_equal(arrays.get("numbers", []), self.task.initial.numbers)
        if not same or facts.get("method") != METHOD:
            logger.warning("the checkpoint of %s belongs to another task; the band starts again", self.key)
            return
        log = [
            Sample(positions=positions, energy=float(energy), forces=forces)
            for positions, energy, forces in zip(arrays["positions"], arrays["energies"], arrays["forces"], strict=True)
        ]
        while self.path is None and len(self.log) + len(self.wanted) <= len(log):
            start = len(self.log)
            self._take(log[start : start + len(self.wanted)])
        self.wall_s, self.failure = facts["wall_s"], facts["failure"]


def find_path(task: NebTask, ends: Ends, displacement: Array, guess: Array) -> Walk:
    """The path of a task: climbed where it has a saddle to climb to, otherwise relaxed as a band.

    Parameters
    ----------
    displacement
        (N, 3) from the initial to the final end point, A.
    guess
        (5, N, 3) first guess at the ends and quarters.
    """
    if task.climb:
        rules = Rules(n_images=task.n_images, fmax=task.fmax, spring=task.spring, max_rounds=task.max_steps)
        path = yield from climbed_path(ends, guess, rules)
        if path is not None:
            return path
        logger.info("no saddle was found from the first guess; the band is relaxed as a whole")
    whole, _ = interpolate(task.initial, displacement, task.n_images, ends.free)
    return (
        yield from converge_band(
            ends, whole, spring=task.spring, climb=task.climb, fmax=task.fmax, max_rounds=task.max_steps
        )
    )
