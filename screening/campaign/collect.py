"""From the stored records to one set of values per candidate: which record counts, and what must be flagged."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from screening.campaign.labels import UNITS, column, y_label
from screening.campaign.score import OBJECTIVES
from screening.chemistry.candidate import Candidate
from screening.engine.records import Record
from screening.errors import UserError

PER_Y = ("work_of_adhesion", "work_of_adhesion_eq")
CONTENT_KEYS = ("x_bulk", "x_interface", "x_barrier")
MAX_X_DIFFERENCE = 0.02
"""Difference between requested and realised content above which a row is flagged (design section 1)."""

RecordKey = tuple[str, str, str]
"""Candidate, property, y label (empty for a property without y)."""


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
    """

    values: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    objectives: dict[str, float] = field(default_factory=dict)
    spread: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    converged: bool = True
    flags: list[str] = field(default_factory=list)
    contents: dict[str, float] = field(default_factory=dict)

    def flag(self, text: str) -> None:
        if text not in self.flags:
            self.flags.append(text)


def pick_fidelity(records: Sequence[Record], fidelity: str | None) -> str:
    """The one fidelity that is ranked; energies of different fidelities never mix.

    Raises
    ------
    UserError
        When several fidelities are there and none is chosen, or the chosen one is absent.
    """
    found = sorted({r.fidelity for r in records})
    if fidelity is None and len(found) > 1:
        raise UserError(f"the records come from several fidelities ({', '.join(found)}); choose the one to rank")
    if fidelity is not None and found and fidelity not in found:
        raise UserError(f"no record has fidelity {fidelity}; the store holds {', '.join(found)}")
    return fidelity or (found[0] if found else "")


def latest(records: Iterable[Record]) -> dict[RecordKey, Record]:
    """The newest record of each (candidate, property, y); among equally old ones the last in the store."""
    chosen: dict[RecordKey, Record] = {}
    for record in records:
        y = record.details.get("y")
        key = (record.candidate, record.property, "" if y is None else y_label(float(y)))
        if key not in chosen or record.created >= chosen[key].created:
            chosen[key] = record
    return chosen


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
    chosen: Mapping[RecordKey, Record],
    soc: Sequence[float],
    extra: Mapping[str, str],
    required: Collection[str],
) -> Collected:
    """Values, intervals, objectives and flags of one candidate.

    Parameters
    ----------
    chosen
        Output of `latest`.
    soc
        States of charge whose worst decides the adhesion, Li per cathode formula unit.
    extra
        Output of `extra_properties`.
    required
        Objectives that are ranked (those with a positive weight).
    """
    out = Collected()
    for prop in PER_Y:
        _collect_adhesion(out, candidate.name, prop, chosen, soc, required=prop in required)
    objectives = {o.name for o in OBJECTIVES}
    for prop, unit in ({p: u for p, u in UNITS.items() if p not in PER_Y} | dict(extra)).items():
        record = chosen.get((candidate.name, prop, ""))
        name = column(prop, unit)
        usable = _check(out, record, prop, "", required=prop in required)
        out.values[name] = _finite(record)
        interval = _interval(record)
        if interval is not None:
            out.intervals[name] = interval
        value = out.values[name]
        if prop in objectives and usable and value is not None:
            out.objectives[prop] = value
            out.spread[prop] = [(value, *(interval or (value, value)))]
    _collect_contents(out, candidate, chosen)
    return out


def _collect_adhesion(
    out: Collected,
    name: str,
    prop: str,
    chosen: Mapping[RecordKey, Record],
    soc: Sequence[float],
    *,
    required: bool,
) -> None:
    labels = [y_label(y) for y in soc]
    records = [chosen.get((name, prop, label)) for label in labels]
    if required and not any(records):
        out.flag(f"missing:{prop}")
        out.converged = False
    usable = bool(records)
    spread = []
    for label, record in zip(labels, records, strict=True):
        usable = _check(out, record, prop, label, required=required and any(records)) and usable
        value, interval = _finite(record), _interval(record)
        out.values[column(prop, suffix=label)] = value
        if interval is not None:
            out.intervals[column(prop, suffix=label)] = interval
        if value is not None:
            spread.append((value, *(interval or (value, value))))
    minimum = column(prop, suffix="min")
    complete = bool(soc) and len(spread) == len(soc)
    # the minimum over a part of the states of charge is not the worst one, so it stays empty until all are there
    out.values[minimum] = min(v for v, _, _ in spread) if complete else None
    if complete and any(r is not None and r.interval for r in records):
        out.intervals[minimum] = (min(low for _, low, _ in spread), min(high for _, _, high in spread))
    if prop == "work_of_adhesion" and usable and complete:
        out.objectives[prop] = min(v for v, _, _ in spread)
        out.spread[prop] = spread


def _check(out: Collected, record: Record | None, prop: str, label: str, *, required: bool) -> bool:
    """Flag what is wrong with a record; True when its value may be ranked."""
    what = f"{prop}_{label}" if label else prop
    if record is None:
        if required:
            out.flag(f"missing:{what}")
            out.converged = False
        return False
    usable = True
    for flag in record.flags:
        if flag.split(":")[0] == "reacted":
            out.flag(f"reacted:{label}" if label else "reacted")
            usable = False
        else:
            out.flag(flag)
    if record.failure is not None:
        out.flag(f"failed:{what}")
        usable = False
    elif not record.converged:
        out.flag(f"unconverged:{what}")
        usable = False
    elif required and _finite(record) is None:
        out.flag(f"missing:{what}")
        usable = False
    if required and (record.failure is not None or not record.converged or _finite(record) is None):
        out.converged = False
    return usable


def _collect_contents(out: Collected, candidate: Candidate, chosen: Mapping[RecordKey, Record]) -> None:
    out.contents["x_bulk"] = candidate.x
    for (name, _, _), record in chosen.items():
        if name != candidate.name:
            continue
        for key in CONTENT_KEYS:
            if isinstance(record.details.get(key), int | float):
                out.contents[key] = float(record.details[key])
    for key in CONTENT_KEYS:
        if key in out.contents and abs(out.contents[key] - candidate.x_requested) > MAX_X_DIFFERENCE:
            out.flag(f"{key}_off")


def _finite(record: Record | None) -> float | None:
    if record is None or record.value is None or record.failure is not None or not math.isfinite(record.value):
        return None
    return float(record.value)


def _interval(record: Record | None) -> tuple[float, float] | None:
    if _finite(record) is None or record is None or record.interval is None:
        return None
    low, high = record.interval
    return (float(low), float(high)) if math.isfinite(low) and math.isfinite(high) else None
