"""Forces on a nudged elastic band: improved tangent and climbing image.

Shapes: M images with both end points, N atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VALLEY = 0.05
"""eV. A dip deeper than this on both sides means that the path runs through another minimum."""


@dataclass(frozen=True, kw_only=True)
class BandForces:
    """NEB forces (M - 2, N, 3) eV/A of the intermediate images, and their unit tangents."""

    forces: Array
    tangents: Array


def tangent(before: Array, after: Array, energies: Array) -> Array:
    """Improved tangent of one image (Henkelman & Jonsson, 10.1063/1.1323224, eqs. 8-11), (N, 3), normalised.

    Parameters
    ----------
    before, after
        Displacements from the previous image and to the next one, (N, 3).
    energies
        Of the previous image, this one and the next one.
    """
    low, here, high = (float(energy) for energy in energies)
    if high > here > low:
        out = after
    elif high < here < low:
        out = before
    else:
        larger, smaller = max(abs(high - here), abs(low - here)), min(abs(high - here), abs(low - here))
        out = after * larger + before * smaller if high > low else after * smaller + before * larger
    return out / max(float(np.linalg.norm(out)), 1e-12)


def highest_interior(energies: Array) -> int | None:
    """Index of the highest image if it is not an end point; None where the path only climbs to an end point."""
    top = int(np.argmax(energies))
    return top if 0 < top < len(energies) - 1 else None


def band_forces(positions: Array, energies: Array, forces: Array, *, spring: float, climb: bool) -> BandForces:
    """NEB forces of the intermediate images.

    Parameters
    ----------
    positions
        (M, N, 3), unwrapped, A.
    energies
        (M,), eV.
    forces
        Potential's forces on the intermediate images, zero on frozen atoms, (M - 2, N, 3), eV/A.
    spring
        eV/A^2, along the tangent only.
    climb
        Let the highest image climb (Henkelman et al., 10.1063/1.1329672): it feels no spring and the inverted
        tangential force. An end point never climbs, so a band without an interior maximum has no climbing image.
    """
    top = highest_interior(energies) if climb else None
    steps = np.diff(positions, axis=0)
    lengths = np.linalg.norm(steps.reshape(len(steps), -1), axis=1)
    out, tangents = np.empty_like(forces), np.empty_like(forces)
    for image in range(1, len(positions) - 1):
        direction = tangent(steps[image - 1], steps[image], energies[image - 1 : image + 2])
        force = forces[image - 1]
        along = float(np.vdot(force, direction))
        if image == top:
            out[image - 1] = force - 2 * along * direction
        else:
            out[image - 1] = force + (spring * (lengths[image] - lengths[image - 1]) - along) * direction
        tangents[image - 1] = direction
    return BandForces(forces=out, tangents=tangents)


def has_valley(energies: Array) -> bool:
    """Whether an intermediate image lies more than VALLEY below the highest image on each of its two sides.

    This covers an image below an end point (which then is not the minimum of its own basin) and a path of two hops.
    """
    return any(
        min(energies[:image].max(), energies[image + 1 :].max()) - energies[image] > VALLEY
        for image in range(1, len(energies) - 1)
    )
