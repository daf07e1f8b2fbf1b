"""A quadratic model of the energy near a saddle, learned from gradients, in coordinates in which it starts as a sphere.

Coordinates are preconditioned by a model Hessian H0 = L L^T: u = L^T x, so that its stiff bonds and soft lithium look
alike. There the Hessian is the identity plus a part of low rank, which acts only in the span of what has been seen.
Everything is done inside that span, of some tens of dimensions, and costs next to nothing beside a force call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SOFTEST = 0.05
"""Smallest curvature, in units of the model Hessian's, by which a gradient is divided."""
UPHILL = 0.1
"""Curvature that is assumed along the path where the model has none that is negative."""


@dataclass(kw_only=True)
class QuadraticModel:
    """Hessian 1 + Q (W - 1) Q^T of D coordinates; K columns of Q are an orthonormal basis, W is (K, K)."""

    basis: Array
    inner: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def sphere(cls, size: int) -> QuadraticModel:
        """The identity in `size` coordinates."""
        return cls(basis=np.zeros((size, 0)))

    def span(self, *vectors: Array) -> None:
        """Let the basis span `vectors`, each (D,)."""
        for vector in vectors:
            rest = vector - self.basis @ (self.basis.T @ vector)
            rest -= self.basis @ (self.basis.T @ rest)
            length = float(np.linalg.norm(rest))
            if length > 1e-8 * float(np.linalg.norm(vector)):
                self.basis = np.column_stack([self.basis, rest / length])
                grown = np.eye(len(self.inner) + 1)
                grown[:-1, :-1] = self.inner
                self.inner = grown

    def set_curvature(self, direction: Array, curvature: float) -> None:
        """Give a unit vector a curvature; its coupling to the other coordinates stays."""
        self.span(direction)
        own = self.basis.T @ direction
        self.inner += (curvature - float(own @ self.inner @ own)) * np.outer(own, own)

    def learn(self, step: Array, change: Array) -> None:
        """Take in that the gradient changed by `change` over `step`, both (D,).

        TS-BFGS (Bofill, Int. J. Quantum Chem. 94, 324 (2003), 10.1002/qua.10709; the form of Hermes et al., J. Chem.
        Theory Comput. 15, 6536 (2019), 10.1021/acs.jctc.9b00869): unlike BFGS it keeps negative curvature.
        """
        self.span(step, change)
        s, y = self.basis.T @ step, self.basis.T @ change
        values, vectors = np.linalg.eigh(self.inner)
        error = y - self.inner @ s
        positive = vectors @ (np.abs(values) * (vectors.T @ s))
        along, size = float(y @ s), float(s @ positive)
        weight = along**2 + size**2
        if weight <= 1e-12 * float(s @ s) ** 2:
            return
        u = (along * y + size * positive) / weight
        self.inner += np.outer(error, u) + np.outer(u, error) - float(error @ s) * np.outer(u, u)

    def n_negative(self) -> int:
        """Directions of negative curvature."""
        return int((np.linalg.eigvalsh(self.inner) < 0).sum()) if len(self.inner) else 0

    def way_up(self, along: Array) -> Array:
        """Direction of negative curvature that has most of `along` (both unit vectors, (D,)); `along` where there is
        none."""
        self.span(along)
        own = self.basis.T @ along
        values, vectors = np.linalg.eigh(self.inner)
        if values[0] >= 0:
            return along
        overlap = np.where(values < 0, np.abs(vectors.T @ own), -1.0)
        return np.asarray(self.basis @ vectors[:, int(np.argmax(overlap))])

    def saddle_step(self, gradient: Array, along: Array) -> Array:
        """Newton step up one direction and down all others, (D,).

        Up goes the direction of negative curvature that has most of `along` (unit vector, the tangent of the path),
        or `along` itself where there is none. Curvatures count by their size, so that no step goes towards a saddle of
        another order.
        """
        self.span(gradient, along)
        own, slope = self.basis.T @ along, self.basis.T @ gradient
        inner = self.inner
        values, vectors = np.linalg.eigh(inner)
        if values[0] >= 0:
            inner = inner - (float(own @ inner @ own) + UPHILL) * np.outer(own, own)
            values, vectors = np.linalg.eigh(inner)
        overlap = np.where(values < 0, np.abs(vectors.T @ own), -1.0)
        signs = np.ones(len(values))
        signs[int(np.argmax(overlap))] = -1.0
        step = -signs * (vectors.T @ slope) / np.maximum(np.abs(values), SOFTEST)
        return np.asarray(self.basis @ (vectors @ step))
