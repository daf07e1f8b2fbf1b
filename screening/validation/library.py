"""The data folder: every accepted calculation once, as an energy/force/stress training set with its provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from screening.engine.runlock import run_lock
from screening.validation.library_files import (
    LIST,
    TRAINING,
    Accepted,
    Item,
    item_of,
    load_items,
    read_frames,
    read_list,
    save_items,
)
from screening.validation.same_structure import same_structure

DISPUTED = "disputed"
ENERGY_TOLERANCE = 0.001  # eV/atom; two runs of one structure and method that differ by more are no duplicates


@dataclass
class Outcome:
    """What became of the calculations given to `DataLibrary.add`, by source."""

    added: list[str] = field(default_factory=list)
    n_frames: int = 0
    known: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    disputes: list[tuple[str, str, float]] = field(default_factory=list)
    disputed_ids: set[str] = field(default_factory=set)


class DataLibrary:
    """DFT data in a folder: training.extxyz, energies.extxyz (calculations without forces), calculations.yaml.

    Two runs of one structure and method that disagree are both moved to the folder ``disputed`` below it, which has
    the same files; neither is used until one of them is removed by hand.

    Parameters
    ----------
    folder
        Created by the first `add`; a folder that ships training.extxyz alone can be read as well.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def frames(self, fidelity: str | None = None) -> list[Atoms]:
        """Frames with energy, forces and, where known, stress (``atoms.calc``); `info` says where each is from."""
        frames = read_frames(self.folder / TRAINING)
        return [atoms for atoms in frames if fidelity is None or atoms.info.get("fidelity") == fidelity]

    def calculations(self) -> list[dict[str, Any]]:
        """Content of calculations.yaml; empty when there is none."""
        return read_list(self.folder / LIST)

    def disputed(self) -> list[dict[str, Any]]:
        """Calculations that another one of the same structure and method contradicts; none of them is used."""
        return read_list(self.folder / DISPUTED / LIST)

    @property
    def version(self) -> str:
        """Short hash of what decides a fit: structures, energies, forces, stresses and fidelities, in any order."""
        return hashlib.sha256("".join(sorted(map(_frame_hash, self.frames()))).encode()).hexdigest()[:12]

    def add(self, calculations: Sequence[Accepted]) -> Outcome:
        """Add calculations that are not there yet; when nothing is new, no file is touched."""
        plan = _Plan(self.folder, calculations)
        if not plan.changed:
            return plan.outcome
        with run_lock(self.folder):
            plan = _Plan(self.folder, calculations)  # another process may have written since
            plan.write()
        return plan.outcome


class _Plan:
    """What adding some calculations would change."""

    def __init__(self, folder: Path, calculations: Sequence[Accepted]) -> None:
        self.folder = folder
        self.outcome = Outcome()
        self.changed = False
        self.good, self.bad = load_items(folder), load_items(folder / DISPUTED)
        for accepted in calculations:
            self._take(accepted)

    def write(self) -> None:
        """Write what changed."""
        if self.changed:
            if self.bad:
                save_items(self.folder / DISPUTED, self.bad.values())
            save_items(self.folder, self.good.values())

    def _take(self, new: Accepted) -> None:
        if new.id in self.bad:
            against = self.bad[new.id].entry["disagrees_with"]
            self._report(new.id, new.source, against["source"], float(against["difference"]))
        elif new.id in self.good:
            self.outcome.known.append(new.source)
        else:
            self._compare(new, item_of(new))

    def _compare(self, new: Accepted, item: Item) -> None:
        """Two relaxations that reach one structure on different ways are both kept: their steps differ."""
        twins = [other for other in (*self.good.values(), *self.bad.values()) if _same_result(other, item)]
        disputed = (t for t in twins if t.entry["id"] in self.bad or abs(_difference(item, t)) > ENERGY_TOLERANCE)
        if (twin := next(disputed, None)) is not None:
            self._dispute(item, twin)
        elif (twin := next((t for t in twins if same_structure(t.start, item.start)), None)) is not None:
            self.outcome.duplicates.append((new.source, twin.entry["source"]))
        else:
            self.good[new.id] = item
            self.changed = True
            self.outcome.added.append(new.source)
            self.outcome.n_frames += len(item.training)

    def _dispute(self, item: Item, twin: Item) -> None:
        """Set `item` and what it disagrees with aside: `twin`, or the opponent of a twin that is set aside already."""
        against = twin
        if twin.entry["id"] in self.bad and abs(_difference(item, twin)) <= ENERGY_TOLERANCE:
            against = self.bad.get(twin.entry["disagrees_with"]["id"], twin)
        self._set_aside(against, item)
        self._set_aside(item, against)
        self.changed = True
        self._report(item.entry["id"], item.entry["source"], against.entry["source"], _difference(item, against))
        self.outcome.disputed_ids.add(against.entry["id"])

    def _set_aside(self, item: Item, against: Item) -> None:
        name, source = item.entry["id"], item.entry["source"]
        if self.good.pop(name, None) is not None and source in self.outcome.added:
            self.outcome.added.remove(source)
            self.outcome.n_frames -= len(item.training)
        if name not in self.bad:
            item.entry["disagrees_with"] = {
                "id": against.entry["id"],
                "source": against.entry["source"],
                "difference": round(_difference(item, against), 6),
            }
            self.bad[name] = item

    def _report(self, name: str, source: str, against: str, difference: float) -> None:
        self.outcome.disputes.append((source, against, difference))
        self.outcome.disputed_ids.add(name)


def _difference(one: Item, other: Item) -> float:
    """Energy of the first minus that of the second, eV/atom."""
    return float(one.entry["energy"] - other.entry["energy"]) / int(one.entry["n_atoms"])


def _same_result(one: Item, other: Item) -> bool:
    keys = ("fidelity", "charge", "n_atoms", "formula")
    return all(one.entry[key] == other.entry[key] for key in keys) and same_structure(one.shape, other.shape)


def _frame_hash(atoms: Atoms) -> str:
    results = atoms.calc.results if atoms.calc is not None else {}
    digest = hashlib.sha256(f"{atoms.info.get('fidelity', '')}|{float(atoms.info.get('charge', 0.0)):.4f}".encode())
    digest.update(atoms.numbers.astype("<i8").tobytes())
    for values in (atoms.positions, atoms.cell.array, *(results.get(key) for key in ("energy", "forces", "stress"))):
        # rounded, since the file holds eight decimals; adding zero turns -0.0 into 0.0
        rounded = np.round(np.asarray(np.nan if values is None else values, dtype=float), 6) + 0.0
        digest.update(rounded.astype("<f8").tobytes())
    return digest.hexdigest()
