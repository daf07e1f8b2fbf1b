"""L-BFGS and FIRE on generalised coordinates, and the rules by which one system descends.

Arrays have shape (R, 3): R rows are the atoms of a system (then three rows for its cell), or of all images of a band.
Everything an optimiser knows is in plain arrays and numbers, so that a checkpoint continues on the same trajectory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Solve = Callable[[Array], Array]


def limit_step(step: Array, limits: Array) -> Array:
    """Scale the whole step down so that no row is longer than its limit, (R,)."""
    longest = float((np.linalg.norm(step, axis=1) / limits).max(initial=0.0))
    return step / longest if longest > 1.0 else step


@dataclass(kw_only=True)
class Lbfgs:
    """Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) around a given inverse Hessian."""

    memory: int = 60
    steps: list[Array] = field(default_factory=list)
    changes: list[Array] = field(default_factory=list)

    def learn(self, step: Array, change: Array) -> bool:
        """Keep a pair (step, change of the gradient) when its curvature is clearly positive."""
        curvature = float(np.vdot(step, change))
        if curvature <= 1e-3 * float(np.vdot(step, step)):
            return False
        self.steps, self.changes = [*self.steps, step][-self.memory :], [*self.changes, change][-self.memory :]
        return True

    def forget(self) -> None:
        """Start again from the initial Hessian."""
        self.steps, self.changes = [], []

    def direction(self, forces: Array, solve: Solve) -> Array:
        """Quasi-Newton step, (R, 3) A; `solve` applies the initial inverse Hessian."""
        q = forces.copy()
        weights = []
        for s, y in zip(reversed(self.steps), reversed(self.changes), strict=True):
            weights.append(float(np.vdot(s, q)) / float(np.vdot(s, y)))
            q -= weights[-1] * y
        out = solve(q)
        if self.steps:
            # Rescale the initial Hessian to the curvature seen last (Nocedal & Wright, eq. 7.20).
            y = self.changes[-1]
            out *= float(np.vdot(self.steps[-1], y)) / float(np.vdot(y, solve(y)))
        for s, y, weight in zip(self.steps, self.changes, reversed(weights), strict=True):
            out += s * (weight - float(np.vdot(y, out)) / float(np.vdot(s, y)))
        return out


@dataclass(kw_only=True)
class Fire:
    """Fast inertial relaxation engine (Bitzek et al., 10.1103/PhysRevLett.97.170201) with ASE's constants."""

    velocity: Array | None = None
    dt: float = 0.1
    alpha: float = 0.1
    n_downhill: int = 0

    def step(self, forces: Array) -> Array:
        """One step, (R, 3) A, before any limit."""
        if self.velocity is None:
            self.velocity = np.zeros_like(forces)
        elif float(np.vdot(forces, self.velocity)) > 0.0:
            ratio = float(np.linalg.norm(self.velocity)) / max(float(np.linalg.norm(forces)), 1e-12)
            self.velocity = (1 - self.alpha) * self.velocity + self.alpha * ratio * forces
            if self.n_downhill > 5:
                self.dt = min(1.1 * self.dt, 1.0)
                self.alpha *= 0.99
            self.n_downhill += 1
        else:
            self.velocity = np.zeros_like(forces)
            self.alpha, self.dt, self.n_downhill = 0.1, 0.5 * self.dt, 0
        self.velocity = self.velocity + self.dt * forces
        return self.dt * self.velocity


@dataclass(kw_only=True)
class Descent:
    """How one system (or one whole band) goes downhill: L-BFGS, with FIRE when L-BFGS stalls.

    - A step that raises the energy above the highest of the last WINDOW accepted ones by more than TOLERANCE is taken
      back; what it taught about the curvature is kept, the longest allowed step is halved.
    - Bands have no energy that falls: pass None, and no step is taken back.
    - After PATIENCE evaluations without a new lowest energy or residual, FIRE_STEPS of FIRE, then L-BFGS afresh.

    Attributes
    ----------
    limits
        Longest allowed step of each row, (R,) A.
    trust
        Current share of `limits`.
    """

    limits: Array
    trust: float = 1.0
    lbfgs: Lbfgs = field(default_factory=Lbfgs)
    fire: Fire = field(default_factory=Fire)
    fire_left: int = 0
    stalled: int = 0
    rejected: int = 0
    energies: list[float] = field(default_factory=list)
    lowest_energy: float = np.inf
    lowest_residual: float = np.inf
    base_x: Array | None = None
    base_forces: Array | None = None

    WINDOW = 3
    TOLERANCE = 0.005
    PATIENCE = 25
    FIRE_STEPS = 30

    def next(self, x: Array, energy: float | None, forces: Array, solver: Callable[[Array], Solve]) -> Array:
        """Where to evaluate next.

        Parameters
        ----------
        x
            Coordinates just evaluated, (R, 3).
        energy
            eV; None when there is none to compare (a band).
        forces
            Generalised forces at `x`, (R, 3).
        solver
            Gives the initial inverse Hessian at some coordinates.
        """
        self._watch(energy, forces)
        if self.fire_left > 0:
            self.fire_left -= 1
            self._accept(x, energy, forces)
            return x + limit_step(self.fire.step(forces), self.limits)
        if self.base_x is not None and self.base_forces is not None:
            self.lbfgs.learn(x - self.base_x, self.base_forces - forces)
            if energy is not None and energy > max(self.energies) + self.TOLERANCE:
                self._reject()
                return self._propose(solver)
            self.trust = min(1.0, 1.5 * self.trust)
        self._accept(x, energy, forces)
        return self._propose(solver)

    def _accept(self, x: Array, energy: float | None, forces: Array) -> None:
        self.base_x, self.base_forces, self.rejected = x.copy(), forces.copy(), 0
        if energy is not None:
            self.energies = [*self.energies, energy][-self.WINDOW :]

    def _reject(self) -> None:
        self.trust *= 0.5
        self.rejected += 1
        if self.rejected == 4:
            self.lbfgs.forget()
        if self.rejected >= 7:
            self._start_fire()

    def _propose(self, solver: Callable[[Array], Solve]) -> Array:
        x, forces = self.base_x, self.base_forces
        if x is None or forces is None:
            raise RuntimeError("no point has been accepted yet")
        if self.fire_left > 0:
            return x + limit_step(self.fire.step(forces), self.limits)
        solve = solver(x)
        step = self.lbfgs.direction(forces, solve)
        if not np.isfinite(step).all() or float(np.vdot(step, forces)) <= 0.0:
            self.lbfgs.forget()
            step = solve(forces)
        return x + limit_step(step, self.trust * self.limits)

    def _watch(self, energy: float | None, forces: Array) -> None:
        residual = float(np.linalg.norm(forces))
        better = residual < 0.98 * self.lowest_residual or (energy is not None and energy < self.lowest_energy - 1e-3)
        self.stalled = 0 if better else self.stalled + 1
        self.lowest_residual = min(self.lowest_residual, residual)
        self.lowest_energy = min(self.lowest_energy, np.inf if energy is None else energy)
        if self.stalled >= self.PATIENCE and self.fire_left == 0:
            self._start_fire()

    def _start_fire(self) -> None:
        self.fire, self.fire_left = Fire(), self.FIRE_STEPS
        self.lbfgs.forget()
        self.trust, self.stalled, self.rejected = 1.0, 0, 0

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Complete state as arrays and JSON-able numbers."""
        empty = np.zeros((0, *self.limits.shape, 3))
        arrays = {
            "steps": np.array(self.lbfgs.steps) if self.lbfgs.steps else empty,
            "changes": np.array(self.lbfgs.changes) if self.lbfgs.changes else empty,
        }
        optional = {"velocity": self.fire.velocity, "base_x": self.base_x, "base_forces": self.base_forces}
        arrays |= {name: value for name, value in optional.items() if value is not None}
        names = ("trust", "fire_left", "stalled", "rejected", "energies", "lowest_energy", "lowest_residual")
        meta = {name: getattr(self, name) for name in names}
        meta |= {"dt": self.fire.dt, "alpha": self.fire.alpha, "n_downhill": self.fire.n_downhill}
        return arrays, meta

    def unpack(self, arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> None:
        """Restore what `pack` gave."""
        self.lbfgs.steps, self.lbfgs.changes = list(arrays["steps"]), list(arrays["changes"])
        self.base_x, self.base_forces = arrays.get("base_x"), arrays.get("base_forces")
        self.fire = Fire(velocity=arrays.get("velocity"), **{k: meta[k] for k in ("dt", "alpha", "n_downhill")})
        for name in ("trust", "fire_left", "stalled", "rejected", "energies", "lowest_energy", "lowest_residual"):
            setattr(self, name, meta[name])
