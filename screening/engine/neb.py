"""Batched climbing-image NEB: all images of all active bands are evaluated together, end points never.

A band is one optimiser group: all its images share one L-BFGS history (Sheppard et al., J. Chem. Phys. 128, 134106
(2008), 10.1063/1.2841941), or one FIRE time step when that stalls. The initial Hessian is the model Hessian of each
image (`springs`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from screening.engine.bands import band_forces, has_valley, highest_interior
from screening.engine.batch import Outcome, exploded
from screening.engine.checkpoints import Checkpoint
from screening.engine.coordinates import frozen_mask
from screening.engine.drive import drive
from screening.engine.endpoints import check_compatible, check_end_points
from screening.engine.idpp import interpolate, unwrapped_displacement
from screening.engine.optimizers import Descent, Solve
from screening.engine.relax import CHECKPOINT_EVERY
from screening.engine.springs import model_solver
from screening.engine.tasks import NebTask, Result
from screening.potentials.base import Potential

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MAX_STEP = 0.15
"""A, longest displacement of an atom of any image in one step."""
CLIMB_BELOW = 0.5
"""eV/A. The highest image starts to climb when the band's largest force falls below this."""
CLIMB_AFTER = 25
"""Band evaluations after which it climbs in any case."""
MAX_LOST_CALLS = 10
"""Force calls of one band that a kill may cost."""
_COUNTERS = ("n_evaluations", "climbing", "best_fmax", "wall_s", "done", "converged", "failure", "guess")


@dataclass(kw_only=True)
class Band:
    """One band under way: M images with both end points, N atoms.

    `images` are the M - 2 intermediate images at which the band is evaluated next; `best` holds the positions (M, N, 3)
    and energies (M,) of the band with the lowest residual so far (of those that climbed, once one has).
    """

    task: NebTask
    key: str
    checkpoint: Checkpoint | None
    free: NDArray[np.bool_]
    positions: Array
    images: list[Atoms]
    descent: Descent
    best_positions: Array
    best_energies: Array
    best_fmax: float = np.inf
    guess: str = "idpp"
    climbing: bool = False
    n_evaluations: int = 0
    wall_s: float = 0.0
    done: bool = False
    converged: bool = False
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
        positions, guess = interpolate(task.initial, displacement, task.n_images, ~frozen)
        band = cls(
            task=task,
            key=key,
            checkpoint=checkpoint,
            free=~frozen,
            positions=positions,
            images=[task.initial.copy() for _ in range(task.n_images)],
            descent=Descent(limits=np.full(task.n_images * len(frozen), MAX_STEP)),
            best_positions=positions.copy(),
            best_energies=np.full(len(positions), np.nan),
            guess=guess,
        )
        band._restore()
        band._place(band.positions[1:-1])
        return band

    @property
    def needs_stress(self) -> bool:
        """Never: the cell is fixed."""
        return False

    def pending(self) -> list[Atoms]:
        """The intermediate images."""
        return self.images

    def advance(self, outcomes: Sequence[Outcome]) -> None:
        """Take in the evaluations of all intermediate images: finish, fail, or choose the next band."""
        self.n_evaluations += 1
        self.wall_s += sum(outcome.wall_s for outcome in outcomes)
        energies = [self.task.initial_energy]
        forces = np.zeros((len(self.images), len(self.free), 3))
        for number, (image, outcome) in enumerate(zip(self.images, outcomes, strict=True), start=1):
            reason = outcome.failure
            if outcome.evaluation is not None and reason is None:
                reason = exploded(image, outcome.evaluation.energy, None, self.task.initial_energy)
            if outcome.evaluation is None or reason is not None:
                self.done, self.failure = True, f"image {number}: {reason}"
                return
            energies.append(outcome.evaluation.energy)
            forces[number - 1][self.free] = outcome.evaluation.forces[self.free]
        self._judge(np.array([*energies, self.task.final_energy]), forces)

    def _judge(self, energies: Array, forces: Array) -> None:
        task = self.task
        band = band_forces(self.positions, energies, forces, spring=task.spring, climb=self.climbing)
        fmax = largest(band.forces)
        rough = fmax < max(CLIMB_BELOW, task.fmax) or self.n_evaluations >= CLIMB_AFTER
        if task.climb and not self.climbing and rough:
            self.climbing = True
            self.best_fmax = np.inf
            self.descent = Descent(limits=self.descent.limits)
            band = band_forces(self.positions, energies, forces, spring=task.spring, climb=True)
            fmax = largest(band.forces)
        if fmax < self.best_fmax:
            self.best_positions, self.best_energies, self.best_fmax = self.positions.copy(), energies, fmax
        self.converged = fmax <= task.fmax and self.climbing == task.climb
        if self.converged or self.n_evaluations > task.max_steps:
            self.done = True
            return
        moved = self.descent.next(self.positions[1:-1].reshape(-1, 3), None, band.forces.reshape(-1, 3), self._solver)
        self._place(moved.reshape(forces.shape))

    def _place(self, inner: Array) -> None:
        self.positions = np.concatenate([self.positions[:1], inner, self.positions[-1:]])
        for image, positions in zip(self.images, inner, strict=True):
            image.set_positions(positions, apply_constraint=False)

    def _solver(self, x: Array) -> Solve:
        self._place(x.reshape(len(self.images), -1, 3))
        solvers = [model_solver(image, self.free, None) for image in self.images]

        def solve(vector: Array) -> Array:
            parts = vector.reshape(len(solvers), -1, 3)
            return np.concatenate([one(part) for one, part in zip(solvers, parts, strict=True)])

        return solve

    def result(self) -> Result:
        """Result of the band with the lowest residual; `atoms` is its highest image, flags are in `atoms.info`."""
        images = [self.task.initial.copy(), *(image.copy() for image in self.images), self.task.final.copy()]
        for image, positions in zip(images, self.best_positions, strict=True):
            image.set_positions(positions, apply_constraint=False)
        usable = self.failure is None
        top = int(np.argmax(self.best_energies)) if usable else 0
        atoms = images[top].copy()
        if usable:
            atoms.info["flags"] = [*atoms.info.get("flags", []), *self._flags()]
        return Result(
            key=self.key,
            atoms=atoms,
            energy=float(self.best_energies[top]) if usable else float("nan"),
            fmax=self.best_fmax,
            converged=self.converged,
            n_steps=max(self.n_evaluations - 1, 0),
            n_force_calls=self.n_evaluations * len(self.images),
            wall_s=self.wall_s,
            failure=self.failure,
            images=images if usable else [],
            image_energies=[float(energy) for energy in self.best_energies] if usable else [],
        )

    def _flags(self) -> list[str]:
        found = {
            "intermediate_minimum": has_valley(self.best_energies),
            "no_interior_maximum": highest_interior(self.best_energies) is None,
            "linear_interpolation": self.guess == "linear",
        }
        return [name for name, present in found.items() if present]

    def save_due(self) -> bool:
        """After every CHECKPOINT_EVERY evaluations of the band, or MAX_LOST_CALLS force calls if that is sooner."""
        return self.n_evaluations % max(1, min(CHECKPOINT_EVERY, MAX_LOST_CALLS // len(self.images))) == 0

    def save(self) -> None:
        """Write the complete state; a finished band keeps its checkpoint until the driver has stored the result."""
        if self.checkpoint is None:
            return
        arrays, descent = self.descent.pack()
        arrays |= {"positions": self.positions, "numbers": self.task.initial.numbers}
        arrays |= {"best_positions": self.best_positions, "best_energies": self.best_energies}
        meta: dict[str, Any] = {name: getattr(self, name) for name in _COUNTERS}
        self.checkpoint.save(arrays, {"kind": "neb", "key": self.key, "descent": descent, **meta})

    def _restore(self) -> None:
        stored = self.checkpoint.load() if self.checkpoint is not None else None
        if stored is None:
            return
        arrays, meta = stored
        same = meta.get("key") == self.key and np.array_equal(arrays.get("numbers", []), self.task.initial.numbers)
        if not same or arrays["positions"].shape != self.positions.shape:
            logger.warning("the checkpoint of %s belongs to another task; the band starts again", self.key)
            return
        for name in _COUNTERS:
            setattr(self, name, meta[name])
        self.descent.unpack(arrays, meta["descent"])
        self.positions = arrays["positions"]
        self.best_positions, self.best_energies = arrays["best_positions"], arrays["best_energies"]


def largest(forces: Array) -> float:
    """Largest norm of a force on one atom of one image, eV/A."""
    return float(np.linalg.norm(forces, axis=-1).max(initial=0.0))


def neb_batch(
    tasks: Sequence[NebTask],
    potential: Potential,
    *,
    keys: Sequence[str],
    checkpoints: Sequence[Path] | None = None,
    max_atoms: int | None = None,
) -> list[Result]:
    """Converge all bands together; `run_tasks` does the same for relaxations and bands.

    Parameters
    ----------
    tasks
        Pairs of relaxed end points. A band converges when the largest NEB force on any atom of any intermediate image
        is at most its `fmax`, with the highest image climbing; after `max_steps` steps the band with the lowest
        residual is returned with `converged=False`. A rigid translation between the end points is removed when no
        atom is frozen.
    keys, checkpoints, max_atoms
        As in `drive`.

    Returns
    -------
    list[Result]
        In the order of `tasks`, with all images and energies. `atoms.info["flags"]` lists ``intermediate_minimum`` (the
        path runs through another minimum), ``no_interior_maximum`` (an end point is highest) and
        ``linear_interpolation`` (IDPP made atoms collide).
    """
    return drive(tasks, keys, potential, Band.start, checkpoints=checkpoints, max_atoms=max_atoms)
