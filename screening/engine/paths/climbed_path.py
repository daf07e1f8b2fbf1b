"""A minimum-energy path from few force calls: look at the interpolated path, climb its peaks, then fill in the rest.

1. Three images of the first guess are evaluated; with the end points they give a profile of energies and slopes. A poor
   guess is relaxed as a band of three first.
2. From the highest peak one image walks up to the saddle (`saddle`), converged on the true forces.
3. The other images are put on a smooth path through the end points and the saddle, evaluated, and moved across the path
   while the model Hessian says that this would gain more than SLACK. They show whether another peak is as high: it is
   climbed too, and the highest saddle is the barrier.
4. Where the smooth path runs far above the saddle, the real one runs elsewhere: the saddle is followed downhill on that
   side, and if that ends in another minimum, the rest is a path of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from screening.engine.paths.bands import has_valley
from screening.engine.paths.curve import Curve
from screening.engine.paths.descend import same_minimum, slide_down
from screening.engine.paths.idpp import interpolate
from screening.engine.paths.path import Ends, ReactionPath, Sample
from screening.engine.paths.profile import Peak, arc_lengths, peaks
from screening.engine.paths.saddle import MAX_CALLS, Metric, Saddle, saddle_search
from screening.engine.paths.whole_band import approach

Array = NDArray[np.float64]

POOR = 2.0
"""eV that an image of the first guess may gain, by the model Hessian, before the guess is relaxed as a band first."""
FAIR = 0.5
"""eV of such gain at which the climb may start."""
APPROACH = 12
"""Rounds of that relaxation at most."""
NEAR = 0.08
"""Share of the path within which an image that was evaluated already is taken for the peak."""
APART = 0.12
"""Share of the path below which a knot says nothing beside a saddle, and two peaks are one."""
SLACK = 0.02
"""eV that an image off the saddle may lie above the path, by the model Hessian."""
RIVAL = 0.03
"""eV below the highest saddle from which another peak is worth climbing."""
LOST = 0.15
"""eV above the saddle at which an image cannot be on the path."""
CORRECTION_STEPS = 2
"""Steps across the path of an image that promise more than SLACK."""
DOUBTS = 3
"""Further steps of an image that looks like a rival of the saddle: a step costs less than a climb."""
DIP = 0.3
"""eV below the highest saddle at which the climb to a rival is given up; climbs dip by up to 0.2 eV on their way."""
MAX_RIVALS = 2
"""Peaks beside the first that are climbed."""
MAX_DEPTH = 2
LONGEST_SHIFT = 0.2
"""A, longest displacement of an atom when an image moves across the path."""

Walk = Generator[list[Array], list[Sample], ReactionPath | None]
Fill = Generator[list[Array], list[Sample], list[Sample] | None]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is asked for: intermediate images of the path, convergence (eV/A), spring of bands (eV/A^2), steps of one
    climb, recursions so far."""

    n_images: int
    fmax: float
    spring: float
    max_rounds: int = MAX_CALLS
    depth: int = 0


@dataclass(kw_only=True)
class _Found:
    """Samples on the path in order, end points included, the saddles among them, and what an image would gain (eV) by a
    step across the path."""

    samples: list[Sample]
    saddles: list[Sample] = field(default_factory=list)
    gains: dict[Sample, float] = field(default_factory=dict)

    @property
    def highest(self) -> Sample:
        return max(self.saddles, key=lambda saddle: saddle.energy)

    def add(self, saddle: Sample) -> None:
        """Put a saddle where the path comes closest to it."""
        curve = Curve.through([sample.positions for sample in self.samples])
        place = int(np.searchsorted(curve.arc, curve.nearest(saddle.positions)))
        self.samples.insert(min(max(place, 1), len(self.samples) - 1), saddle)
        self.saddles.append(saddle)

    def is_saddle(self, sample: Sample) -> bool:
        return any(sample is saddle for saddle in self.saddles)


def climbed_path(ends: Ends, guess: Array, rules: Rules) -> Walk:
    """Find the highest saddle between two end points and a path over it.

    Parameters
    ----------
    guess
        (5, N, 3) first guess at both ends and at the quarters.

    Returns
    -------
    ReactionPath or None
        None where no image lies above both end points or no saddle was found; a whole band may do better.
    """
    quarters = yield [guess[1], guess[2], guess[3]]
    quarters = yield from approach(ends, quarters, spring=rules.spring, poor=POOR, fair=FAIR, max_rounds=APPROACH)
    samples = [ends.initial, *quarters, ends.final]
    curve = Curve.through([sample.positions for sample in samples])
    tops = _peaks(curve, samples, np.zeros(5))
    if not tops:
        return None
    floor = max(ends.initial.energy, ends.final.energy)
    saddle = yield from _climb(ends, curve, samples, tops[0], rules, floor)
    if saddle is None or not saddle.converged:
        return None
    found = _Found(samples=[ends.initial, saddle.sample, ends.final], saddles=[saddle.sample])
    curve = Curve.through(_knots(ends, curve, quarters, saddle.sample))
    filled = yield from _fill_in(ends, curve, saddle, rules, found)
    if filled is None:
        return None
    found.samples = filled
    complete = yield from _climb_rivals(ends, found, rules)
    return _assemble(found, rules.n_images, complete)


def _peaks(curve: Curve, samples: Sequence[Sample], gains: Array) -> list[Peak]:
    """Interior peaks of the profile that lie above both end points."""
    slopes = np.array([-float(np.vdot(s.forces, t)) for s, t in zip(samples, curve.tangents(), strict=True)])
    energies = np.array([sample.energy for sample in samples])
    floor = max(energies[0], energies[-1])
    return [peak for peak in peaks(curve.arc, energies - gains, slopes) if peak.energy > floor]


def _climb(
    ends: Ends, curve: Curve, samples: Sequence[Sample], peak: Peak, rules: Rules, floor: float
) -> Generator[list[Array], list[Sample], Saddle | None]:
    """Walk from a peak of the profile to the saddle."""
    inner = range(1, len(samples) - 1)
    near = min(inner, key=lambda i: abs(curve.arc[i] - peak.at))
    if abs(curve.arc[near] - peak.at) < NEAR * curve.length:
        start, at = samples[near], float(curve.arc[near])
    else:
        at = peak.at
        (start,) = yield [curve.at(at)]
    before = [i for i in inner if curve.arc[i] < at - 1e-6][-1:]
    behind = [i for i in inner if curve.arc[i] > at + 1e-6][:1]
    known = [samples[i] for i in (*before, *behind)]
    metric = Metric.at(ends, start.positions)
    return (
        yield from saddle_search(
            start,
            curve.tangent(at),
            metric,
            known,
            fmax=rules.fmax,
            floor=floor,
            max_calls=min(MAX_CALLS, rules.max_rounds),
        )
    )


def _knots(ends: Ends, curve: Curve, quarters: Sequence[Sample], saddle: Sample) -> list[Array]:
    """End points, saddle and what the forces on the quarters say of the path on both sides."""
    own = curve.nearest(saddle.positions)
    placed = [(own, saddle.positions)]
    for at, sample in zip(curve.arc[1:-1], quarters, strict=True):
        if abs(at - own) > APART * curve.length:
            metric = Metric.at(ends, sample.positions)
            placed.append((float(at), sample.positions + _shift(metric, sample, curve.tangent(at))[0]))
    inner = [positions for _, positions in sorted(placed, key=lambda pair: pair[0])]
    return [ends.initial.positions, *inner, ends.final.positions]


def _shift(metric: Metric, sample: Sample, tangent: Array) -> tuple[Array, float]:
    """Step of an image across the path (A), and the energy it gains (eV)."""
    step, gain = metric.descent(sample.forces, tangent)
    longest = float(np.linalg.norm(step, axis=1).max(initial=0.0))
    return step * min(1.0, LONGEST_SHIFT / max(longest, 1e-12)), gain


def _fill_in(ends: Ends, curve: Curve, saddle: Saddle, rules: Rules, found: _Found) -> Fill:
    """Samples of the whole path: other images on the curve, moved across it where that pays, or a path of its own on a
    side where the curve is lost. None when such a side cannot be found."""
    own = curve.nearest(saddle.sample.positions)
    spots = _spots(own, curve.length, rules.n_images - 1)
    images = (yield [curve.at(spot) for spot in spots]) if spots else []
    # one model Hessian per image serves all its steps, which are short
    metrics = [Metric.at(ends, image.positions) for image in images]
    tangents = [curve.tangent(spot) for spot in spots]
    shifts = [_shift(*each) for each in zip(metrics, images, tangents, strict=True)]
    high = saddle.sample.energy + LOST
    lost = {
        spot > own for image, spot, (_, gain) in zip(images, spots, shifts, strict=True) if image.energy - gain > high
    }
    doubtful = saddle.sample.energy - RIVAL
    for n in range(CORRECTION_STEPS + DOUBTS):
        todo = [
            i
            for i, (_, gain) in enumerate(shifts)
            if (spots[i] > own) not in lost
            and ((n < CORRECTION_STEPS and gain > SLACK) or images[i].energy - gain > doubtful)
        ]
        if not todo:
            break
        moved = yield [images[i].positions + shifts[i][0] for i in todo]
        for i, image in zip(todo, moved, strict=True):
            images[i], shifts[i] = image, _shift(metrics[i], image, tangents[i])
    found.gains |= {image: gain for image, (_, gain) in zip(images, shifts, strict=True)}
    sides: list[list[Sample]] = []
    for right in (False, True):
        side = [image for image, spot in zip(images, spots, strict=True) if (spot > own) is right]
        if right in lost:
            detour = yield from _detour(ends, saddle, right, rules, found)
            if detour is None:
                return None
            side = detour
        sides.append(side)
    return [ends.initial, *sides[0], saddle.sample, *sides[1], ends.final]


def _detour(ends: Ends, saddle: Saddle, right: bool, rules: Rules, found: _Found) -> Fill:
    """Samples between the saddle and one end point by way of what lies downhill; saddles go into `found`."""
    end, other = (ends.final, ends.initial) if right else (ends.initial, ends.final)
    down = yield from slide_down(ends, saddle, sign=1.0 if right else -1.0)
    bottom = down[-1]
    if same_minimum(bottom, end):
        between = down[:-1]
        return between if right else between[::-1]
    if same_minimum(bottom, other) or rules.depth >= MAX_DEPTH:
        return None
    here = Ends(
        atoms=ends.atoms,
        free=ends.free,
        initial=bottom if right else end,
        final=end if right else bottom,
    )
    guess, _ = interpolate(here.placed(), here.final.positions - here.initial.positions, 3, ends.free)
    deeper = replace(rules, n_images=3, depth=rules.depth + 1)
    path = yield from climbed_path(here, guess, deeper)
    if path is None:
        return None
    samples = path.samples[1:-1]
    found.saddles.append(path.samples[path.top])
    return [bottom, *samples] if right else [*samples, bottom]


def _spots(saddle: float, length: float, count: int) -> list[float]:
    """Places of `count` images, even on each side of the saddle, in number as the sides are long."""
    left = round(count * saddle / length)
    if count >= 2:
        left = min(max(left, 1), count - 1)
    right = count - left
    spots = [saddle * (i + 1) / (left + 1) for i in range(left)]
    return spots + [saddle + (length - saddle) * (i + 1) / (right + 1) for i in range(right)]


def _climb_rivals(ends: Ends, found: _Found, rules: Rules) -> Generator[list[Array], list[Sample], bool]:
    """Climb every other peak that may be as high as the highest saddle; whether none is left.

    The image that looked like a peak gives way to the saddle that was found from it. Where the climb fell far below the
    highest saddle, or ended on one that is known, the image was off the path. A climb that did not end leaves its peak
    open.
    """
    settled = True
    for _ in range(MAX_RIVALS):
        curve, rival = _rival(found)
        if rival is None:
            return settled
        saddle = yield from _climb(ends, curve, found.samples, rival, rules, found.highest.energy - DIP)
        place = min(range(1, len(curve.arc) - 1), key=lambda i: abs(curve.arc[i] - rival.at))
        if not found.is_saddle(found.samples[place]):
            del found.samples[place]
        if saddle is not None and not saddle.converged:
            settled = False
        elif saddle is not None and not any(same_minimum(saddle.sample, known) for known in found.saddles):
            found.add(saddle.sample)
    return settled and _rival(found)[1] is None


def _rival(found: _Found) -> tuple[Curve, Peak | None]:
    """The curve through all samples, and its highest peak that is no saddle yet and may be as high as the highest."""
    samples = found.samples
    curve = Curve.through([sample.positions for sample in samples])
    gains = np.array([found.gains.get(sample, 0.0) for sample in samples])
    taken = [at for at, sample in zip(curve.arc, samples, strict=True) if found.is_saddle(sample)]
    for peak in _peaks(curve, samples, gains):
        apart = min(abs(peak.at - at) for at in taken) > APART * curve.length
        behind = int(np.searchsorted(curve.arc, peak.at))
        # between neighbouring saddles lies a minimum: a peak of the cubic there is an artefact of two flat ends
        between = found.is_saddle(samples[behind - 1]) and found.is_saddle(samples[behind])
        if apart and not between and peak.energy > found.highest.energy - RIVAL:
            return curve, peak
    return curve, None


def _assemble(found: _Found, n_images: int, complete: bool) -> ReactionPath:
    """The highest saddle and the images that fill the path most evenly beside it.

    An image next to a saddle that came out higher than it is off the path (the saddle was converged, the image was not)
    and is left out.
    """
    kept, top = list(found.samples), found.highest
    for place, step in ((kept.index(top), 1), (kept.index(top), -1)):
        side = place + step
        if 0 < side < len(kept) - 1 and kept[side].energy > top.energy and not found.is_saddle(kept[side]):
            del kept[side]
    highest = max(sample.energy for sample in kept)
    valley = has_valley(np.array([sample.energy for sample in kept]))
    while len(kept) > n_images + 2:
        arc = arc_lengths(np.array([sample.positions for sample in kept]))
        gaps = [np.inf if kept[i] is top else arc[i + 1] - arc[i - 1] for i in range(1, len(kept) - 1)]
        del kept[1 + int(np.argmin(gaps))]
    converged = complete and top.energy >= highest
    return ReactionPath(samples=kept, top=kept.index(top), fmax=top.fmax, converged=converged, valley=valley)
