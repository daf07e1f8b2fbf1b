"""Which record counts where a store holds a property of a candidate by a potential and by DFT.

DFT replaces the potential where it exists and converged. A linear correction, when there is one, puts the potential's
values of the other candidates on the DFT scale, so that a candidate judged by DFT is not compared with one judged by a
potential that is too soft. The potential's own values are kept beside both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from screening.campaign.ranking.labels import y_label
from screening.engine.running.records import Record, RecordKey
from screening.errors import UserError
from screening.fidelity import Fidelity, same_scale, scales_of
from screening.retraining.softening import Softening

MLIP, CORRECTED = "mlip", "corrected"


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The newest record of each key, of the potential and of DFT.

    Attributes
    ----------
    base, reference
        Fidelities of `potential` and `dft`; `reference` is empty when only one fidelity is ranked.
    correction
        Maps the potential's values to the scale of DFT; None leaves them as they are.
    """

    base: str
    potential: Mapping[RecordKey, Record]
    reference: str = ""
    dft: Mapping[RecordKey, Record]
    correction: Softening | None = None

    @property
    def word(self) -> str:
        """``dft``; ``simulated`` where a potential ran in VASP's place, which nobody may call DFT."""
        return "dft" if Fidelity.parse(self.reference).is_dft else "simulated"

    @cached_property
    def ranked(self) -> dict[RecordKey, Record]:
        """The record that counts for each key."""
        found = {key: self._on_scale(key[1], record) for key, record in self.potential.items()}
        found.update((key, record) for key, record in self.dft.items() if counts(record))
        return found

    @cached_property
    def compared(self) -> set[tuple[str, str]]:
        """(property, y label) of which the potential's value is shown beside the one that is ranked."""
        own = {key[1:] for key in self.potential}
        by_dft = {key[1:] for key in self.dft}
        return {place for place in own if place in by_dft or place[0] in self._lines}

    def uses(self, record: Record) -> bool:
        """Whether a record is of one of the fidelities that are ranked."""
        return any(same_scale(record.fidelity, own) for own in (self.base, self.reference) if own)

    def origin(self, key: RecordKey) -> str | None:
        """`word`, ``corrected`` or ``mlip``, whichever the ranked record of a key is; None when there is none."""
        if key in self.dft and counts(self.dft[key]):
            return self.word
        if key not in self.potential:
            return None
        return CORRECTED if key[1] in self._lines else MLIP

    def of_one_scale(self, keys: Sequence[RecordKey]) -> list[Record | None]:
        """Ranked records of keys whose values are compared with each other.

        Where some would be DFT's and others a potential's without correction, all are the potential's: the lowest
        of values of two scales is the lowest of neither.
        """
        origins = {self.origin(key) for key in keys} - {None}
        mixed = MLIP in origins and len(origins) > 1
        return [(self.potential if mixed else self.ranked).get(key) for key in keys]

    @property
    def _lines(self) -> Mapping[str, object]:
        return self.correction.lines if self.correction else {}

    def _on_scale(self, prop: str, record: Record) -> Record:
        if self.correction is None or prop not in self._lines or record.value is None:
            return record
        low_high = record.interval
        if low_high is not None:
            low_high = (self.correction.apply(prop, low_high[0]), self.correction.apply(prop, low_high[1]))
        return replace(record, value=self.correction.apply(prop, record.value), interval=low_high)


def counts(record: Record) -> bool:
    """Whether a DFT record may replace a potential's: it was computed to the end and converged."""
    return record.failure is None and record.converged and (record.value is None or math.isfinite(record.value))


def sources_of(records: Sequence[Record], fidelity: str | None, correction: Softening | None = None) -> Sources:
    """Sort records by what made them.

    Raises
    ------
    UserError
        See `pick_fidelities`; or when the correction belongs to another potential or another DFT.
    """
    base, reference = pick_fidelities(records, fidelity)
    if correction is not None and base and correction.base != base:
        raise UserError(f"{correction.name} corrects {correction.base}; the values to rank are of {base}.")
    if correction is not None and reference and not same_scale(correction.fidelity, reference):
        raise UserError(
            f"{correction.name} was fitted to {correction.fidelity}, the DFT values here are of {reference}; use one "
            "that was fitted to these, or choose others with --fidelity."
        )
    return Sources(
        base=base,
        potential=latest(r for r in records if same_scale(r.fidelity, base)),
        reference=reference,
        dft=latest(r for r in records if reference and same_scale(r.fidelity, reference)),
        correction=correction,
    )


def pick_fidelities(records: Sequence[Record], fidelity: str | None) -> tuple[str, str]:
    """The potential, and the DFT that replaces its values (empty for none).

    Parameters
    ----------
    fidelity
        A potential's name ranks its values alone; that of DFT replaces the potential's values with it. With None there
        must be one potential and one DFT at most, which are both used.

    Raises
    ------
    UserError
        When several could be meant and none is chosen, or the chosen one is absent.
    """
    found = sorted({r.fidelity for r in records})
    potentials = [f for f in found if Fidelity.parse(f).is_potential]
    others = scales_of([f for f in found if not Fidelity.parse(f).is_potential])
    if fidelity is not None and found and not any(same_scale(fidelity, f) for f in found):
        raise UserError(f"no record has fidelity {fidelity}; the store holds {', '.join(found)}")
    if fidelity is not None and Fidelity.parse(fidelity).is_potential:
        return fidelity, ""
    references = [name for name in others.values() if fidelity is None or same_scale(name, fidelity)]
    for several in (potentials, references):
        if len(several) > 1:
            raise UserError(
                f"the records come from several fidelities ({', '.join(several)}); choose one of them with --fidelity"
            )
    reference = references[0] if references else ""
    return (potentials[0], reference) if potentials else (reference or fidelity or "", "")


def latest(records: Iterable[Record]) -> dict[RecordKey, Record]:
    """The newest record of each (candidate, property, y); among equally old ones the last in the store."""
    chosen: dict[RecordKey, Record] = {}
    for record in records:
        key = (record.candidate, record.property, "" if record.y is None else y_label(record.y))
        if key not in chosen or record.created >= chosen[key].created:
            chosen[key] = record
    return chosen
