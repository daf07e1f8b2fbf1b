"""From the stored records to one set of values per candidate: which record counts, and what must be flagged."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from screening.campaign.ranking.labels import UNITS, column, y_label
from screening.campaign.ranking.score import OBJECTIVES
from screening.campaign.ranking.sources import CORRECTED, MLIP, RecordKey, Sources
from screening.chemistry.candidate import Candidate
from screening.engine.running.records import Record
from screening.flags import flag, origin_flag

PER_Y = ("work_of_adhesion", "work_of_adhesion_eq")
OFF = {"x_bulk": flag("x_bulk_off"), "x_interface": flag("x_interface_off"), "x_barrier": flag("x_barrier_off")}
"""Contents of the cells, and the flag of each that is far from the requested one."""
CONTENT_KEYS = tuple(OFF)
MAX_X_DIFFERENCE = 0.02
"""Difference between requested and realised content above which a row is flagged (design section 1)."""


@dataclass(kw_only=True)
class Collected:
    """What the records say about one candidate.

    Attributes
    ----------
    values
        Column to value in the column's unit; None where the quantity does not exist or is missing.
    intervals
        Column to (low, high), same unit.
    objectives
        Objective to its value, only where every record behind it can be trusted (present, converged, not reacted).
    spread
        Objective to the (value, low, high) of each record behind it: one per y for adhesion, whose worst counts.
    converged
        Every property that is ranked (weight above 0) is there and converged.
    flags
        Everything a reader must know, in a fixed order.
    contents
        x_bulk, x_interface, x_barrier where a record states them, M per formula unit.
    beside
        Column to the columns that stand beside it and their values: the potential's own and DFT's.
    origins
        Objective to where its value is from: ``mlip``, ``dft`` (``simulated``) or ``corrected``.
    """

    values: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    objectives: dict[str, float] = field(default_factory=dict)
    spread: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    converged: bool = True
    flags: list[str] = field(default_factory=list)
    contents: dict[str, float] = field(default_factory=dict)
    beside: dict[str, dict[str, float | None]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def flag(self, text: str) -> None:
        if text not in self.flags:
            self.flags.append(text)


def extra_properties(chosen: Mapping[RecordKey, Record]) -> dict[str, str]:
    """Unit of every property beyond the tabulated ones that is stored once per candidate, by name."""
    with_y = {prop for _, prop, y in chosen if y}
    return {
        record.property: record.unit
        for _, record in sorted(chosen.items())
        if record.property not in UNITS and record.property not in with_y
    }


def collect(
    candidate: Candidate,
    sources: Sources,
    soc: Sequence[float],
    extra: Mapping[str, str],
    required: Collection[str],
) -> Collected:
    """Values, intervals, objectives and flags of one candidate.

    Parameters
    ----------
    sources
        The records of all candidates.
    soc
        States of charge whose worst decides the adhesion, Li per cathode formula unit.
    extra
        Output of `extra_properties`.
    required
        Objectives that are ranked (those with a positive weight).
    """
    out = Collected()
    for prop in PER_Y:
        _collect_adhesion(out, candidate.name, prop, sources, soc, required=prop in required)
    objectives = {o.name for o in OBJECTIVES}
    for prop, unit in ({p: u for p, u in UNITS.items() if p not in PER_Y} | dict(extra)).items():
        key = (candidate.name, prop, "")
        record = sources.ranked.get(key)
        name = column(prop, unit)
        usable = _check(out, record, prop, "", required=prop in required)
        _say_origin(out, sources, key)
        if (prop, "") in sources.compared:
            out.beside[name] = {
                column(prop, unit, MLIP): _finite(sources.potential.get(key)),
                column(prop, unit, sources.word): _finite(sources.dft.get(key)),
            }
        out.values[name] = _finite(record)
        interval = _interval(record)
        if interval is not None:
            out.intervals[name] = interval
        value = out.values[name]
        if prop in objectives and usable and value is not None:
            out.objectives[prop] = value
            out.spread[prop] = [(value, *(interval or (value, value)))]
            out.origins[prop] = sources.origin(key) or MLIP
    _collect_contents(out, candidate, sources)
    return out


def _collect_adhesion(
    out: Collected, name: str, prop: str, sources: Sources, soc: Sequence[float], *, required: bool
) -> None:
    keys = [(name, prop, y_label(y)) for y in soc]
    shown = [sources.ranked.get(key) for key in keys]
    records = sources.of_one_scale(keys)
    if required and not any(records):
        out.flag(flag("missing:{what}", what=prop))
        out.converged = False
    usable = bool(records)
    spread = []
    for (_, _, label), record, other in zip(keys, records, shown, strict=True):
        usable = _check(out, record, prop, label, required=required and any(records)) and usable
        if other is not record:
            _check(out, other, prop, label, required=False)
        value, interval = _finite(other), _interval(other)
        out.values[column(prop, suffix=label)] = value
        if interval is not None:
            out.intervals[column(prop, suffix=label)] = interval
        value, interval = _finite(record), _interval(record)
        if value is not None:
            spread.append((value, *(interval or (value, value))))
    minimum = column(prop, suffix="min")
    complete = bool(soc) and len(spread) == len(soc)
    # the minimum over a part of the states of charge is not the worst one, so it stays empty until all are there
    out.values[minimum] = min(v for v, _, _ in spread) if complete else None
    if complete and any(r is not None and r.interval for r in records):
        out.intervals[minimum] = (min(low for _, low, _ in spread), min(high for _, _, high in spread))
    _adhesion_origin(out, prop, sources, keys)
    if prop == "work_of_adhesion" and usable and complete:
        out.objectives[prop] = min(v for v, _, _ in spread)
        out.spread[prop] = spread


def _adhesion_origin(out: Collected, prop: str, sources: Sources, keys: Sequence[RecordKey]) -> None:
    """Say per y, and for the minimum, whose value it is, and keep the other one beside it."""
    origins = [sources.origin(key) for key in keys]
    whole = set(origins) == {sources.word}
    for key in keys:
        _say_origin(out, sources, key, quiet=whole)
    if whole and sources.reference:
        out.flag(origin_flag(sources.word, prop))
    elif sources.word in origins and MLIP in origins:
        out.flag(flag("min_from_mlip:{what}", what=prop))
    out.origins[prop] = sources.word if whole else CORRECTED if CORRECTED in origins else MLIP
    if not any((prop, label) in sources.compared for _, _, label in keys):
        return
    sides = {MLIP: [sources.potential.get(k) for k in keys], sources.word: [sources.dft.get(k) for k in keys]}
    for side, records in sides.items():
        values = [_finite(r) for r in records]
        for (_, _, label), value in zip(keys, values, strict=True):
            beside = out.beside.setdefault(column(prop, suffix=label), {})
            beside[column(prop, suffix=f"{label}_{side}")] = value
        known = [v for v in values if v is not None]
        lowest = min(known) if known and len(known) == len(keys) else None
        out.beside.setdefault(column(prop, suffix="min"), {})[column(prop, suffix=f"min_{side}")] = lowest


def _say_origin(out: Collected, sources: Sources, key: RecordKey, *, quiet: bool = False) -> None:
    """Flag a value that is not the potential's own, and a DFT one that could not take its place."""
    _, prop, label = key
    what = f"{prop}_{label}" if label else prop
    origin = sources.origin(key)
    if origin == CORRECTED:
        out.flag(origin_flag(CORRECTED, prop))
    elif origin == sources.word and not quiet and (prop in UNITS or key in sources.potential):
        out.flag(origin_flag(sources.word, what))
    elif key in sources.dft and origin != sources.word:
        failed = sources.dft[key].failure is not None
        form = "failed:{kind}:{what}" if failed else "unconverged:{kind}:{what}"
        out.flag(flag(form, kind=sources.word, what=what))


def _check(out: Collected, record: Record | None, prop: str, label: str, *, required: bool) -> bool:
    """Flag what is wrong with a record; True when its value may be ranked."""
    what = f"{prop}_{label}" if label else prop
    if record is None:
        if required:
            out.flag(flag("missing:{what}", what=what))
            out.converged = False
        return False
    usable = True
    for own in record.flags:
        if own.split(":")[0] == flag("reacted"):
            out.flag(flag("reacted:{state}", state=label) if label else flag("reacted"))
            usable = False
        else:
            out.flag(own)
    if record.failure is not None:
        out.flag(flag("failed:{what}", what=what))
        usable = False
    elif not record.converged:
        out.flag(flag("unconverged:{what}", what=what))
        usable = False
    elif required and _finite(record) is None:
        out.flag(flag("missing:{what}", what=what))
        usable = False
    if required and (record.failure is not None or not record.converged or _finite(record) is None):
        out.converged = False
    return usable


def _collect_contents(out: Collected, candidate: Candidate, sources: Sources) -> None:
    out.contents["x_bulk"] = candidate.x
    for (name, _, _), record in (*sources.dft.items(), *sources.potential.items()):
        if name != candidate.name:
            continue
        for key in CONTENT_KEYS:
            if isinstance(record.details.get(key), int | float):
                out.contents[key] = float(record.details[key])
    for key in CONTENT_KEYS:
        if key in out.contents and abs(out.contents[key] - candidate.x_requested) > MAX_X_DIFFERENCE:
            out.flag(OFF[key])


def _finite(record: Record | None) -> float | None:
    if record is None or record.value is None or record.failure is not None or not math.isfinite(record.value):
        return None
    return float(record.value)


def _interval(record: Record | None) -> tuple[float, float] | None:
    if _finite(record) is None or record is None or record.interval is None:
        return None
    low, high = record.interval
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None
