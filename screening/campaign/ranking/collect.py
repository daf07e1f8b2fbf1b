"""From the stored records to one set of values per candidate: which record counts, and what must be flagged."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from screening.campaign.ranking.labels import y_label
from screening.campaign.ranking.sources import CORRECTED, MLIP, Sources
from screening.chemistry.candidate import Candidate
from screening.engine.running.records import Record, RecordKey
from screening.flags import flag, origin_flag
from screening.quantities import table
from screening.quantities.property import Property, column_name

OFF = {"x_bulk": flag("x_bulk_off"), "x_interface": flag("x_interface_off"), "x_barrier": flag("x_barrier_off")}
"""Contents of the cells, and the flag of each that is far from the requested one."""
CONTENT_KEYS = tuple(OFF)
MAX_X_DIFFERENCE = 0.02
"""Difference between requested and realised content above which a row is flagged."""


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
        Objective to the (value, low, high) of each record behind it: of one per y the worst counts.
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
        if table.find(record.property) is None and record.property not in with_y
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
        States of charge whose worst counts, Li per cathode formula unit.
    extra
        Output of `extra_properties`.
    required
        Objectives that are ranked (those with a positive weight).
    """
    out = Collected()
    for entry in (entry for entry in table.PROPERTIES if entry.per_y):
        _collect_per_y(out, candidate.name, entry, sources, soc, required=entry.name in required)
    objectives = {entry.name for entry in table.ranked()}
    single = {entry.name: entry.unit for entry in table.PROPERTIES if not entry.per_y}
    for prop, unit in (single | dict(extra)).items():
        key = (candidate.name, prop, "")
        record = sources.ranked.get(key)
        name = column_name(prop, unit)
        usable = _check(out, record, prop, "", required=prop in required)
        _say_origin(out, sources, key)
        if (prop, "") in sources.compared:
            out.beside[name] = {
                column_name(prop, unit, MLIP): _finite(sources.potential.get(key)),
                column_name(prop, unit, sources.word): _finite(sources.dft.get(key)),
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


def _collect_per_y(
    out: Collected, name: str, entry: Property, sources: Sources, soc: Sequence[float], *, required: bool
) -> None:
    prop = entry.name
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
        out.values[entry.column(label)] = value
        if interval is not None:
            out.intervals[entry.column(label)] = interval
        value, interval = _finite(record), _interval(record)
        if value is not None:
            spread.append((value, *(interval or (value, value))))
    complete = bool(soc) and len(spread) == len(soc)
    # the worst over a part of the states of charge is not the worst one, so it stays empty until all are there
    out.values[entry.column()] = entry.worst(v for v, _, _ in spread) if complete else None
    if complete and any(r is not None and r.interval for r in records):
        ends = entry.worst(low for _, low, _ in spread), entry.worst(high for _, _, high in spread)
        out.intervals[entry.column()] = ends
    _origin_per_y(out, entry, sources, keys)
    if entry.score is not None and usable and complete:
        out.objectives[prop] = entry.worst(v for v, _, _ in spread)
        out.spread[prop] = spread


def _origin_per_y(out: Collected, entry: Property, sources: Sources, keys: Sequence[RecordKey]) -> None:
    """Say per y, and for the worst one, whose value it is, and keep the other one beside it."""
    prop = entry.name
    origins = [sources.origin(key) for key in keys]
    whole = set(origins) == {sources.word}
    for key in keys:
        _say_origin(out, sources, key, quiet=whole)
    if whole and sources.reference:
        out.flag(origin_flag(sources.word, prop))
    elif sources.word in origins and MLIP in origins:
        smallest = entry.sign > 0
        out.flag(flag("min_from_mlip:{what}" if smallest else "max_from_mlip:{what}", what=prop))
    out.origins[prop] = sources.word if whole else CORRECTED if CORRECTED in origins else MLIP
    if not any((prop, label) in sources.compared for _, _, label in keys):
        return
    sides = {MLIP: [sources.potential.get(k) for k in keys], sources.word: [sources.dft.get(k) for k in keys]}
    for side, records in sides.items():
        values = [_finite(r) for r in records]
        for (_, _, label), value in zip(keys, values, strict=True):
            out.beside.setdefault(entry.column(label), {})[entry.column(f"{label}_{side}")] = value
        known = [v for v in values if v is not None]
        worst = entry.worst(known) if known and len(known) == len(keys) else None
        out.beside.setdefault(entry.column(), {})[entry.column(f"{entry.end}_{side}")] = worst


def _say_origin(out: Collected, sources: Sources, key: RecordKey, *, quiet: bool = False) -> None:
    """Flag a value that is not the potential's own, and a DFT one that could not take its place."""
    _, prop, label = key
    what = f"{prop}_{label}" if label else prop
    origin = sources.origin(key)
    if origin == CORRECTED:
        out.flag(origin_flag(CORRECTED, prop))
    elif origin == sources.word and not quiet and (table.find(prop) is not None or key in sources.potential):
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
