"""A linear correction of a potential's values from a few DFT values of the same quantities.

Universal potentials are systematically too soft: energies of strained, defective and transition states come out too
low by a factor that is much the same for all structures of a kind, so that a slope from a handful of DFT points removes
most of the error (Deng et al., npj Comput. Mater. 2025, doi:10.1038/s41524-024-01500-6). Barriers and adhesion vanish
where the potential surface is flat, so their line goes through the origin; an offset is tried from four pairs on and
kept where it predicts left-out pairs better.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from screening.engine.running.records import Record
from screening.errors import UserError
from screening.fidelity import Fidelity, same_scale, scales_of
from screening.potentials.families.table import BUILT_IN
from screening.potentials.model_card import CARD, SOFTENING, card_content
from screening.quantities.table import softened
from screening.retraining.softening_line import Line, Pair, fit_line

logger = logging.getLogger(__name__)

CITATION = "Deng et al., npj Comput. Mater. 2025, doi:10.1038/s41524-024-01500-6"


@dataclass(frozen=True, kw_only=True)
class Softening:
    """Corrections by property.

    Attributes
    ----------
    base
        Fidelity of the values it corrects, for example ``"mlip:chgnet"``.
    fidelity
        Fidelity of the values it was fitted to.
    name
        Where it came from, for messages.
    """

    base: str
    fidelity: str
    lines: Mapping[str, Line]
    name: str = "softening correction"

    def apply(self, prop: str, value: float) -> float:
        """Value on the DFT scale; that of a property without a line is returned as it is."""
        line = self.lines.get(prop)
        return value if line is None else line.apply(value)

    def to_card(self) -> dict[str, Any]:
        """Plain mapping for card.yaml with every calibration pair; `base` there is a potential's name."""
        lines = {prop: {**asdict(line), "pairs": [asdict(p) for p in line.pairs]} for prop, line in self.lines.items()}
        for line in lines.values():
            line["n_pairs"] = len(line["pairs"])
        return {
            "kind": SOFTENING,
            "base": Fidelity.parse(self.base).potential,
            "fidelity": self.fidelity,
            "citation": CITATION,
            "lines": lines,
        }


def fit_softening(records: Sequence[Record], *, base: str | None = None, fidelity: str | None = None) -> Softening:
    """Fit a correction of every property that softens (`screening.quantities.table`) and has pairs enough.

    Parameters
    ----------
    records
        Records of the potential and of DFT. Where a DFT record states the potential's value of exactly its structures,
        that one is its partner, otherwise the potential's record of the same candidate and y.
    base, fidelity
        Which potential and which DFT; needed only when the records hold several of either.

    Raises
    ------
    UserError
        When no property has two pairs and a line, or the fidelities are ambiguous.
    """
    base = _only("potential", [f for f in _fidelities(records) if Fidelity.parse(f).is_potential], base)
    fidelity = _only("DFT", [f for f in _fidelities(records) if not Fidelity.parse(f).is_potential], fidelity)
    lines: dict[str, Line] = {}
    reasons = []
    for prop in softened():
        pairs, unit = _pairs(records, prop, base, fidelity)
        try:
            lines[prop] = fit_line(prop, unit, pairs)
        except UserError as error:
            # one property that no line describes must not cost the others theirs
            logger.info("no correction: %s", error)
            reasons.append(str(error).rstrip("."))
    if not lines:
        raise UserError(f"nothing can be corrected: {'; '.join(reasons)}. Compute more with `screen validate`.")
    return Softening(base=base, fidelity=fidelity, lines=lines)


def load_softening(folder: Path) -> Softening:
    """Read the correction of a model folder.

    Raises
    ------
    UserError
        When there is no card, or it is not that of a softening correction.
    """
    card = card_content(folder)
    if card is None:
        raise UserError(f"{folder} holds no {CARD}; give the folder of a model, such as models/NAME.")
    if card.get("kind") != SOFTENING:
        raise UserError(f"{folder} is no softening correction (its kind is {card.get('kind')!r}).")
    return softening_from_card(card, name=str(folder))


def softening_from_card(card: Mapping[str, Any], *, name: str) -> Softening:
    """Inverse of `Softening.to_card`, which may stand in a model's card under ``softening``.

    Raises
    ------
    UserError
        When the card does not hold a correction.
    """
    try:
        card = card.get("softening", card)
        lines = {}
        for prop, row in card["lines"].items():
            fields = {key: value for key, value in row.items() if key not in ("n_pairs", "pairs")}
            lines[prop] = _sound(Line(**fields, pairs=tuple(Pair(**pair) for pair in row["pairs"])))
        base, fidelity = card["base"], card["fidelity"]
        if not (isinstance(base, str) and isinstance(fidelity, str)):
            raise TypeError("base and fidelity are texts")
        return Softening(base=str(Fidelity(potential=base)), fidelity=fidelity, lines=lines, name=name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"the card of {name} does not hold a softening correction; make it with `screen retrain`."
        ) from error


def _sound(line: Line) -> Line:
    """The line, when its numbers are some; those of a damaged card would make every corrected value NaN."""
    numbers = [line.slope, line.offset, *(value for pair in line.pairs for value in (pair.mlip, pair.dft))]
    if not all(map(math.isfinite, numbers)) or line.slope <= 0 or math.isnan(line.raw_error + line.left_out_error):
        raise ValueError("a line needs a slope above zero and finite numbers")
    return line


def softening_of(potential_name: str) -> Softening | None:
    """Correction that belongs to a potential's name: that of a model folder of kind softening, None for all others.

    Raises
    ------
    UserError
        When the folder's card is damaged.
    """
    card = None if potential_name in BUILT_IN else card_content(Path(potential_name).expanduser())
    if card is None or card.get("kind") != SOFTENING:
        return None
    return softening_from_card(card, name=potential_name)


def _fidelities(records: Sequence[Record]) -> list[str]:
    return sorted({r.fidelity for r in records})


def _only(what: str, found: Sequence[str], chosen: str | None) -> str:
    if chosen is not None:
        return chosen
    scales = list(scales_of(found).values())
    if len(scales) != 1:
        if scales:
            there = f"several ({', '.join(scales)}): choose one"
        else:
            there = "none in these records"
            if what == "DFT":
                there += "; compute its values with `screen validate` and `screen ingest` them first"
        raise UserError(f"a softening correction compares one potential with one DFT; of the {what} there is {there}.")
    return scales[0]


def _pairs(records: Sequence[Record], prop: str, base: str, fidelity: str) -> tuple[list[Pair], str]:
    def usable(record: Record) -> bool:
        value = record.value
        return record.property == prop and record.converged and value is not None and math.isfinite(value)

    def place(record: Record) -> tuple[str, float | None]:
        return record.candidate, None if record.y is None else round(record.y, 3)

    newest = sorted(filter(usable, records), key=lambda r: r.created)
    mlip = {place(r): r for r in newest if r.fidelity == base}
    dft = {place(r): r for r in newest if same_scale(r.fidelity, fidelity)}
    pairs = []
    for at, record in sorted(dft.items(), key=lambda item: (item[0][0], item[0][1] or 0.0)):
        own = record.mlip.value if record.mlip is not None and record.mlip.fidelity == base else None
        if own is None and at in mlip:
            own = mlip[at].value
        if own is not None and record.value is not None:
            pairs.append(Pair(candidate=at[0], y=at[1], mlip=float(own), dft=record.value, source=record.fidelity))
    return pairs, next(iter(dft.values())).unit if dft else ""
