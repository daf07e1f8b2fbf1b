"""Searches, descents and profiles on surfaces whose saddles are known."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from screening.engine.paths.climbed_path import Rules, _Found, _rival, climbed_path
from screening.engine.paths.descend import same_minimum, slide_down
from screening.engine.paths.path import Ends, ReactionPath, Sample
from screening.engine.paths.profile import arc_lengths, peaks
from screening.engine.paths.saddle import Metric, Saddle, saddle_search

Array = NDArray[np.float64]
Surface = Callable[[Array], tuple[float, Array]]


def double_well(x: Array) -> tuple[float, Array]:
    """E = (x^2 - 1)^2 + 2 (y - x^2 / 2)^2 + z^2 of one atom: minima at x = -1 and 1, the saddle at 0 is 1 eV high."""
    a, b, c = x[0]
    bend = b - a**2 / 2
    slope = np.array([[4 * a * (a**2 - 1) - 4 * bend * a, 4 * bend, 2 * c]])
    return float((a**2 - 1) ** 2 + 2 * bend**2 + c**2), -slope


def triple_well(x: Array) -> tuple[float, Array]:
    """Minima near x = -2, 0 and 2; the right hump is higher than the left one."""
    a, b, c = x[0]
    wave = 0.5 * (1 - np.cos(np.pi * a)) * (1 + 0.1 * a)
    slope_a = 0.5 * np.pi * np.sin(np.pi * a) * (1 + 0.1 * a) + 0.05 * (1 - np.cos(np.pi * a))
    return float(wave + b**2 + c**2), -np.array([[slope_a, 2 * b, 2 * c]])


def sample(surface: Surface, x: Array) -> Sample:
    energy, forces = surface(x)
    return Sample(positions=x, energy=energy, forces=forces)


def ends_of(surface: Surface, first: float, last: float) -> Ends:
    points = [
        sample(surface, np.array([[a, min(a * a, 1) / 2 if surface is double_well else 0.0, 0.0]]))
        for a in (first, last)
    ]
    atoms = Atoms("Li", positions=points[0].positions, cell=[20] * 3, pbc=True)
    return Ends(atoms=atoms, free=np.array([True]), initial=points[0], final=points[1])


def run(walk: Generator[list[Array], list[Sample], Any], surface: Surface) -> tuple[Any, int]:
    """Answer a generator from a surface; what it returned, and how many points it asked for."""
    calls, wanted = 0, next(walk)
    while True:
        calls += len(wanted)
        try:
            wanted = walk.send([sample(surface, x) for x in wanted])
        except StopIteration as end:
            return end.value, calls


def test_a_search_ends_on_the_saddle_with_its_mode() -> None:
    ends = ends_of(double_well, -1.0, 1.0)
    start = sample(double_well, np.array([[0.3, 0.4, 0.2]]))
    search = saddle_search(start, np.array([[1.0, 0.0, 0.0]]), Metric.at(ends, start.positions), [], fmax=1e-4)
    found, calls = run(search, double_well)
    assert isinstance(found, Saddle)
    assert found.sample.positions[0] == pytest.approx([0, 0, 0], abs=1e-3)
    assert found.sample.energy == pytest.approx(1.0, abs=1e-6)
    assert found.mode[0] == pytest.approx([1, 0, 0], abs=0.1)
    assert calls < 25


def test_a_search_that_gets_nowhere_says_so() -> None:
    ends = ends_of(double_well, -1.0, 1.0)
    start = sample(double_well, np.array([[0.3, 0.4, 0.2]]))
    metric = Metric.at(ends, start.positions)
    along = np.array([[1.0, 0, 0]])
    found, calls = run(saddle_search(start, along, metric, [], fmax=1e-9, max_calls=3), double_well)
    assert (found.converged, calls) == (False, 3)


def test_a_search_that_falls_into_a_well_is_given_up() -> None:
    ends = ends_of(double_well, -1.0, 1.0)
    start = sample(double_well, np.array([[0.3, 0.4, 0.2]]))
    along = np.array([[1.0, 0, 0]])
    # the saddle is 1 eV high, the start 1.12 eV
    search = saddle_search(start, along, Metric.at(ends, start.positions), [], fmax=1e-4, floor=1.05)
    found, calls = run(search, double_well)
    assert found is None
    assert calls >= 1


@pytest.mark.parametrize(("sign", "well"), [(1.0, 1.0), (-1.0, -1.0)])
def test_a_saddle_slides_into_the_well_it_is_pushed_to(sign: float, well: float) -> None:
    ends = ends_of(double_well, -1.0, 1.0)
    top = Saddle(sample=sample(double_well, np.zeros((1, 3))), mode=np.array([[1.0, 0.0, 0.0]]))
    down, _ = run(slide_down(ends, top, sign=sign), double_well)
    assert down[-1].positions[0, 0] == pytest.approx(well, abs=0.05)
    assert [s.energy for s in down] == sorted((s.energy for s in down), reverse=True)
    assert same_minimum(down[-1], ends.final if sign > 0 else ends.initial)
    assert not same_minimum(down[-1], ends.initial if sign > 0 else ends.final)


def climbed(surface: Surface, first: float, last: float, n_images: int) -> tuple[ReactionPath, int]:
    ends = ends_of(surface, first, last)
    guess = np.linspace(ends.initial.positions, ends.final.positions, 5)
    return run(climbed_path(ends, guess, Rules(n_images=n_images, fmax=0.01, spring=5.0)), surface)


def test_a_bent_path_is_climbed() -> None:
    path, _ = climbed(double_well, -1.0, 1.0, 5)
    assert path.converged
    assert not path.valley
    assert len(path.samples) == 7
    assert path.samples[path.top].energy == path.energies.max() == pytest.approx(1.0, abs=1e-3)


def test_of_two_humps_the_higher_one_counts() -> None:
    path, _ = climbed(triple_well, -2.0, 2.0, 7)
    fine = np.linspace(-2, 2, 40001)
    highest = max(triple_well(np.array([[a, 0.0, 0.0]]))[0] for a in fine)
    assert path.converged
    assert path.valley
    assert path.energies.max() == pytest.approx(highest, abs=1e-3)


def test_a_path_that_only_climbs_has_no_saddle() -> None:
    def slope(x: Array) -> tuple[float, Array]:
        return float(x[0, 0] + x[0, 1] ** 2 + x[0, 2] ** 2), -np.array([[1.0, 2 * x[0, 1], 2 * x[0, 2]]])

    assert climbed(slope, -1.0, 1.0, 3) == (None, 3)


def test_peaks_of_a_known_curve() -> None:
    x = np.linspace(0, 3, 7)
    found = peaks(x, np.sin(np.pi * x) + 0.1 * x, np.pi * np.cos(np.pi * x) + 0.1)
    assert [round(peak.at, 1) for peak in found] == [2.5, 0.5]
    assert found[0].energy == pytest.approx(1.25, abs=0.01)
    assert peaks(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]), np.ones(3)) == []


def test_arc_lengths_add_up() -> None:
    band = np.array([[[0.0, 0, 0]], [[3.0, 4.0, 0]], [[3.0, 4.0, 1.0]]])
    assert arc_lengths(band) == pytest.approx([0, 5, 6])


def test_there_is_no_rival_between_two_neighbouring_saddles() -> None:
    """Both ends of that interval are almost flat, so the cubic between them may have a peak that means nothing."""

    def point(place: float, energy: float, slope: float = 0.0) -> Sample:
        return Sample(positions=np.array([[place, 0.0, 0.0]]), energy=energy, forces=np.array([[-slope, 0.0, 0.0]]))

    first, second = point(2.0, 1.136, 0.004), point(4.0, 1.136, -0.004)  # converged, not to zero
    ends = [point(0.0, 0.0), point(1.0, 0.8, 0.9)], [point(5.0, 0.8, -0.9), point(6.0, 0.0)]
    samples = [*ends[0], first, second, *ends[1]]
    assert _rival(_Found(samples=samples, saddles=[first, second]))[1] is None
    assert _rival(_Found(samples=samples, saddles=[second]))[1] is not None, "were the first no saddle, it were a rival"
