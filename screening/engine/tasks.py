"""What the engine computes: tasks in, results out. Nothing here knows what the atoms mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ase import Atoms

from screening.errors import CandidateFailed


@dataclass(frozen=True, kw_only=True)
class RelaxTask:
    """Relax one structure.

    Attributes
    ----------
    recipe
        JSON-able identity: candidate, step, settings, keys of the parent results. The start geometry is *not* part of
        the key, because relaxed coordinates differ in the last digits between machines.
    atoms
        Start geometry; `ase.constraints.FixAtoms` is respected.
    cell
        ``"fixed"`` or ``"full"`` (all six strain components relax together with the atoms).
    fmax
        Converged when no force on a free atom (and, for a full cell, no component of stress times volume per atom)
        exceeds this, eV/A.
    max_steps
        Optimiser steps; 0 means one energy and force evaluation.
    """

    recipe: dict[str, Any]
    atoms: Atoms
    cell: Literal["fixed", "full"] = "fixed"
    fmax: float = 0.05
    max_steps: int = 300

    @property
    def settings(self) -> dict[str, Any]:
        return {"kind": "relax", "cell": self.cell, "fmax": self.fmax, "max_steps": self.max_steps}


@dataclass(frozen=True, kw_only=True)
class NebTask:
    """The path between two relaxed end points with the same atom order, and its saddle.

    `initial_energy` and `final_energy` (eV) are those of the relaxed end points, which are never evaluated again.
    `n_images` counts the intermediate images of the path that comes back, the saddle among them (fewer where an image
    turned out to be off the path). With `climb` one image
    walks to the saddle, in at most `max_steps` steps a climb; without, or where that fails, a whole band is relaxed, in
    at most `max_steps` steps of all its images with springs of `spring` eV/A^2. `fmax` (eV/A) is the largest true force
    at the saddle, or the largest NEB force of a whole band.
    """

    recipe: dict[str, Any]
    initial: Atoms
    final: Atoms
    initial_energy: float
    final_energy: float
    n_images: int = 5
    fmax: float = 0.05
    max_steps: int = 200
    climb: bool = True
    spring: float = 5.0

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kind": "neb",
            "n_images": self.n_images,
            "fmax": self.fmax,
            "max_steps": self.max_steps,
            "climb": self.climb,
            "spring": self.spring,
        }


Task = RelaxTask | NebTask


@dataclass(kw_only=True)
class Result:
    """What came out of one task. `failure` is a reason in words, or None; a failed result has no usable energy.

    Attributes
    ----------
    atoms
        Relaxed structure; for a band the climbing (highest) image.
    energy
        eV; for a band that of the highest image.
    fmax
        Largest residual force, eV/A (for a band the true force at its saddle, or the NEB force of a whole band).
    images, image_energies
        For a band only: all images, end points included, and their energies (eV).
    """

    key: str
    atoms: Atoms
    energy: float
    fmax: float
    converged: bool
    n_steps: int
    n_force_calls: int
    wall_s: float
    failure: str | None = None
    images: list[Atoms] = field(default_factory=list)
    image_energies: list[float] = field(default_factory=list)

    @property
    def barriers(self) -> tuple[float, float]:
        """Forward and backward barrier of a band, eV."""
        top = max(self.image_energies)
        return top - self.image_energies[0], top - self.image_energies[-1]


def recipe_key(task: Task, checkpoint_sha256: str) -> str:
    """Key of a task: a hash of its recipe, settings and the potential's checkpoint (not of coordinates)."""
    text = json.dumps(
        {"recipe": task.recipe, "settings": task.settings, "checkpoint": checkpoint_sha256},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def start_of(task: Task) -> Atoms:
    """Start geometry of a relaxation, first end point of a band."""
    return task.atoms if isinstance(task, RelaxTask) else task.initial


def failed_result(key: str, atoms: Atoms, reason: str) -> Result:
    """The result of a task that gave none: NaN energy and the reason in words."""
    return Result(
        key=key,
        atoms=atoms.copy(),
        energy=float("nan"),
        fmax=float("nan"),
        converged=False,
        n_steps=0,
        n_force_calls=0,
        wall_s=0.0,
        failure=reason,
    )


def lowest(results: Sequence[Result]) -> Result:
    """The converged result of lowest energy; of unconverged ones only where there is no other."""
    return min(results, key=lambda r: (not r.converged, r.energy))


def require(result: Result, what: str) -> Result:
    """Return `result`, or raise CandidateFailed with its reason."""
    if result.failure is not None:
        raise CandidateFailed(f"{what}: {result.failure}")
    return result
