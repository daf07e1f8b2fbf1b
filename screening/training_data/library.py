"""The data folder: every accepted calculation once, as an energy/force/stress training set with its provenance."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from screening.engine.running.runlock import run_lock
from screening.training_data.library_files import (
    LIST,
    TRAINING,
    Accepted,
    FolderState,
    Item,
    folder_state,
    in_words,
    item_of,
    load_items,
    read_frames,
    read_list,
    save_items,
)
from screening.training_data.same_structure import compare
from screening.training_data.shapes import MAX_DISPLACEMENT, SAME_INPUT
from screening.training_data.structure_index import StructureIndex

logger = logging.getLogger(__name__)

DISPUTED = "disputed"
ENERGY_TOLERANCE = 0.001  # eV/atom; two runs of one structure and method that differ by more are no duplicates


@dataclass
class Intake:
    """What became of the calculations given to `DataLibrary.add`, by source."""

    added: list[str] = field(default_factory=list)
    n_frames: int = 0
    known: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    disputes: list[tuple[str, str, float]] = field(default_factory=list)
    disputed_ids: set[str] = field(default_factory=set)
    unusable: list[tuple[str, str]] = field(default_factory=list)


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

    def check(self) -> None:
        """Read the lists, so that a folder that cannot be added to is known before calculations are read.

        Raises
        ------
        UserError
            When one is damaged.
        """
        self.calculations()
        self.disputed()

    def add(self, calculations: Sequence[Accepted]) -> Intake:
        """Add calculations that are not there yet; when nothing is new, no file is touched.

        Raises
        ------
        UserError
            When the files in the folder are damaged or would be lost.
        """
        before = self._state()
        plan = _Plan(self.folder, calculations)
        if not plan.changed:
            return plan.outcome
        with run_lock(self.folder):
            if self._state() != before:  # another process has written since
                plan = _Plan(self.folder, calculations)
            plan.write()
        return plan.outcome

    def _state(self) -> tuple[FolderState, FolderState]:
        return folder_state(self.folder), folder_state(self.folder / DISPUTED)


class _Plan:
    """What adding some calculations would change.

    The frames in the folder are read only when there is something to compare with them, so that a second time is quick.
    """

    def __init__(self, folder: Path, calculations: Sequence[Accepted]) -> None:
        self.folder = folder
        self.outcome = Intake()
        self.known = {entry["id"] for entry in read_list(folder / LIST)}
        self.opponents = {entry["id"]: entry["disagrees_with"] for entry in read_list(folder / DISPUTED / LIST)}
        # both only when a process was killed between the two writes of a dispute
        self.changed = bool(self.known & self.opponents.keys())
        self.known -= self.opponents.keys()
        self.new = self._items([a for a in calculations if a.id not in self.known and a.id not in self.opponents])
        self.good: dict[str, Item] = {}
        self.bad: dict[str, Item] = {}
        if self.new or self.changed:
            self.bad = load_items(folder / DISPUTED)
            self.good = load_items(folder, without=self.bad)
        self.starts, self.results = StructureIndex(SAME_INPUT), StructureIndex(MAX_DISPLACEMENT)
        compared = {item.scale for item in self.new.values()}
        for item in (*self.good.values(), *self.bad.values()):
            if item.scale in compared:
                self._index(item)
        for accepted in calculations:
            self._take(accepted)

    def write(self) -> None:
        """Write what changed; what is set aside first, so that a killed process uses none of it."""
        if self.changed:
            if self.bad:
                save_items(self.folder / DISPUTED, self.bad.values())
            save_items(self.folder, self.good.values())

    def _items(self, calculations: Sequence[Accepted]) -> dict[str, Item]:
        """What the calculations would be in the folder; one that cannot be kept costs only itself."""
        items: dict[str, Item] = {}
        for accepted in calculations:
            if accepted.id in items:
                continue
            try:
                items[accepted.id] = item_of(accepted)
            except Exception as error:  # frames of strange files, or files that are gone
                logger.debug("%s", accepted.source, exc_info=True)
                self.outcome.unusable.append((accepted.source, f"it cannot be kept ({in_words(error)})"))
        return items

    def _index(self, item: Item) -> None:
        self.starts.add(item.scale, item.entry["id"], item.start, item.energy)
        self.results.add(item.scale, item.entry["id"], item.shape, item.energy)

    def _take(self, new: Accepted) -> None:
        if new.id in self.opponents:
            against = self.opponents[new.id]
            self._report(new.id, new.source, against["source"], float(against["difference"]))
        elif new.id in self.known:
            self.outcome.known.append(new.source)
        elif new.id in self.new:
            self._compare(self.new[new.id])

    def _compare(self, item: Item) -> None:
        """Two relaxations that reach one structure on different ways are both kept: their steps differ."""
        name, source = item.entry["id"], item.entry["source"]
        twin = self._contradicted(item) or self._repeated(item)
        if twin is None:
            self.good[name] = item
            self.known.add(name)
            self._index(item)
            self.changed = True
            self.outcome.added.append(source)
            self.outcome.n_frames += len(item.training)
        elif twin.entry["id"] in self.bad or abs(item.energy - twin.energy) > ENERGY_TOLERANCE:
            self._dispute(item, twin)
            self._index(item)
        else:
            self.outcome.duplicates.append((source, twin.entry["source"]))

    def _contradicted(self, item: Item) -> Item | None:
        """The first calculation of the same structure whose energy differs by more than its forces explain."""
        names = self.results.alike(item.scale, item.shape, other_energy=(item.energy, ENERGY_TOLERANCE))
        for twin in map(self._held, names):
            match = compare(item.shape, twin.shape)
            if match is None:
                continue
            explained = match.displacement * max(item.mean_force, twin.mean_force)
            if abs(item.energy - twin.energy) > ENERGY_TOLERANCE + explained:
                return twin
        return None

    def _repeated(self, item: Item) -> Item | None:
        """The first calculation that started from the same input and reached the same structure and energy."""
        for twin in map(self._held, self.starts.alike(item.scale, item.start)):
            start = compare(item.start, twin.start)
            if start is None or not start.same_input or abs(item.energy - twin.energy) > ENERGY_TOLERANCE:
                continue
            if compare(item.shape, twin.shape) is not None:
                return twin
        return None

    def _held(self, name: str) -> Item:
        return self.good[name] if name in self.good else self.bad[name]

    def _dispute(self, item: Item, twin: Item) -> None:
        """Set `item` and what it disagrees with aside: `twin`, or the opponent of a twin that is set aside already."""
        against = twin
        if twin.entry["id"] in self.bad and abs(item.energy - twin.energy) <= ENERGY_TOLERANCE:
            against = self.bad.get(twin.entry["disagrees_with"]["id"], twin)
        self._set_aside(against, item)
        self._set_aside(item, against)
        self.changed = True
        self._report(item.entry["id"], item.entry["source"], against.entry["source"], item.energy - against.energy)
        self.outcome.disputed_ids.add(against.entry["id"])

    def _set_aside(self, item: Item, against: Item) -> None:
        name, source = item.entry["id"], item.entry["source"]
        self.known.discard(name)
        if self.good.pop(name, None) is not None and source in self.outcome.added:
            self.outcome.added.remove(source)
            self.outcome.n_frames -= len(item.training)
        if name not in self.bad:
            item.entry["disagrees_with"] = {
                "id": against.entry["id"],
                "source": against.entry["source"],
                "difference": round(item.energy - against.energy, 6),
            }
            self.bad[name] = item
            self.opponents[name] = item.entry["disagrees_with"]

    def _report(self, name: str, source: str, against: str, difference: float) -> None:
        self.outcome.disputes.append((source, against, difference))
        self.outcome.disputed_ids.add(name)


def _frame_hash(atoms: Atoms) -> str:
    results = atoms.calc.results if atoms.calc is not None else {}
    digest = hashlib.sha256(f"{atoms.info.get('fidelity', '')}|{float(atoms.info.get('charge', 0.0)):.4f}".encode())
    digest.update(atoms.numbers.astype("<i8").tobytes())
    for values in (atoms.positions, atoms.cell.array, *(results.get(key) for key in ("energy", "forces", "stress"))):
        # rounded, since the file holds eight decimals; adding zero turns -0.0 into 0.0
        rounded = np.round(np.asarray(np.nan if values is None else values, dtype=float), 6) + 0.0
        digest.update(rounded.astype("<f8").tobytes())
    return digest.hexdigest()
