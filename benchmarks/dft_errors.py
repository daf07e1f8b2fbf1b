"""Potentials against GPAW-PBE: forces, relative energies, barriers, surfaces and a separation curve.

`python benchmarks/dft_errors.py --json docs/dft-errors.json` on the shipped labels. The fine-tuned potential is judged
on compositions that it has not seen: the compositions are dealt into folds, and each fold is held out once. The large
cells are judged by one that has seen neither LiNbO3 nor LiCoO2; no slab, interface or large cell is ever learnt from.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from dft_cells import bare
from peers import machine, table, write_json

from screening.potentials.base import Potential
from screening.potentials.registry import load_potential
from screening.retraining.backend import TrainingSettings
from screening.retraining.finetune import backend_of, finetune
from screening.retraining.potential_errors import errors_of
from screening.retraining.retrain import fitted_shifts, shifted_frames
from screening.training_data.library import DataLibrary
from screening.training_data.training_set import LabelledFrame, groups_of, split_frames, usable_frames

POTENTIALS = ("chgnet", "sevennet-0", "sevennet-l3i5")
POOLED = ("force_mae_eV_A", "relative_energy_mae_meV_atom")
TUNED = "chgnet, fine-tuned"
FORMATS = dict.fromkeys((*POTENTIALS, TUNED, *POOLED, "dft"), ".3f")
LABELS = Path("datasets/dft/niobates")
LARGE = Path("datasets/dft/slabs")
CRYSTALS = ("LiNbO3", "CoLiO2")
"""Reduced formulas of the crystals whose surfaces and interface are compared."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Compositions held out together, and the potential that was trained on all others."""

    groups: list[str]
    held_out: list[LabelledFrame]
    potential: Potential
    best_epoch: int


def deal(frames: Sequence[LabelledFrame], n_folds: int) -> list[list[str]]:
    """Compositions that hold Nb or Ta dealt into folds of about equal numbers of frames, largest first."""
    groups = groups_of(frames)
    wanted = {name: len(members) for name, members in groups.items() if {"Nb", "Ta"} & _elements(frames, members)}
    folds: list[list[str]] = [[] for _ in range(n_folds)]
    sizes = [0] * n_folds
    for name in sorted(wanted, key=lambda n: (-wanted[n], n)):
        smallest = sizes.index(min(sizes))
        folds[smallest].append(name)
        sizes[smallest] += wanted[name]
    return [fold for fold in folds if fold]


def _elements(frames: Sequence[LabelledFrame], members: Sequence[int]) -> set[str]:
    return {symbol for index in members for symbol in frames[index].atoms.get_chemical_symbols()}


def tune(frames: Sequence[LabelledFrame], groups: list[str], settings: TrainingSettings) -> Fold:
    """CHGNet trained on everything but `groups`."""
    split = split_frames(frames, groups, seed=settings.seed)
    base, backend = load_potential("chgnet", "cpu"), backend_of("chgnet")
    shifts = fitted_shifts(base, split.learnt)
    training, validation = (shifted_frames(part, shifts) for part in (split.training, split.validation))
    model = backend.read("chgnet", "cpu")
    tuned = finetune(backend, model, training, validation, settings)
    model.requires_grad_(False)
    potential = backend.potential(model, "cpu", name=TUNED, checkpoint_sha256="", corrections=base.corrections)
    return Fold(groups=groups, held_out=split.held_out, potential=potential, best_epoch=tuned.best_epoch)


def composition_rows(folds: Sequence[Fold], potentials: Mapping[str, Potential]) -> list[dict[str, Any]]:
    """Errors of every potential on every held-out composition."""
    rows = []
    for fold in folds:
        for name in fold.groups:
            own = [f for f in fold.held_out if f.formula == name]
            for label, potential in {**potentials, TUNED: fold.potential}.items():
                errors = errors_of(potential, own, shifts=None)
                rows.append(
                    {
                        "composition": name,
                        "potential": label,
                        "n_frames": errors.n_frames,
                        "force_mae_eV_A": errors.force,
                        "relative_energy_mae_meV_atom": errors.relative_energy,
                        "best_epoch": fold.best_epoch if label == TUNED else None,
                    }
                )
    return rows


def by_composition(rows: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """One row per composition, one column per potential."""
    names = dict.fromkeys(r["composition"] for r in rows)
    return [
        {"composition": name, "n_frames": next(r["n_frames"] for r in rows if r["composition"] == name)}
        | {r["potential"]: r[key] for r in rows if r["composition"] == name}
        for name in names
    ]


def pooled(rows: Sequence[Mapping[str, Any]], name: str, key: str) -> float:
    """Mean over the frames of all folds."""
    own = [r for r in rows if r["potential"] == name and r[key] is not None]
    return float(np.average([r[key] for r in own], weights=[r["n_frames"] for r in own]))


def named_frames(folder: Path) -> dict[str, Atoms]:
    """Frames by the name of the structure they are a label of; those of charged cells with the charge behind it."""
    named = {}
    for atoms in DataLibrary(folder).frames():
        charge = int(atoms.info["charge"])
        name = Path(str(atoms.info["source"])).name.removesuffix("#0")
        named[f"{name}{charge:+d}" if charge else name] = atoms
    return named


def barrier_rows(
    frames: Mapping[str, Atoms], folds: Sequence[Fold], potentials: Mapping[str, Potential]
) -> list[dict[str, Any]]:
    """Energy of the potential's saddle above the end point, in DFT and by each potential on the same structures."""
    rows = []
    for hop in sorted({name.rpartition("-hop-")[0] for name in frames if "-hop-" in name}):
        images = sorted((n for n in frames if n.startswith(f"{hop}-hop-")), key=lambda n: int(n.rsplit("-", 1)[1]))
        start, top = frames[images[0]], frames[images[-1]]
        formula = top.info["formula"]
        tuned = [f.potential for f in folds if formula in f.groups]
        judged = {**potentials, **({TUNED: tuned[0]} if tuned else {})}
        rows.append({"hop": hop, "n_atoms": len(top), **rise(start, top, judged)})
    return rows


def rise(start: Atoms, saddle: Atoms, potentials: Mapping[str, Potential]) -> dict[str, float]:
    """Energy of the saddle above the start (eV), in DFT and by each potential."""
    found = {"dft": saddle.get_potential_energy() - start.get_potential_energy()}
    for name, potential in potentials.items():
        low, high = potential.evaluate([bare(start), bare(saddle)])
        found[name] = high.energy - low.energy
    return found


def hop_rows(frames: Mapping[str, Atoms], potentials: Mapping[str, Potential]) -> list[dict[str, Any]]:
    """Energy of the saddle above either end point (eV), in DFT (as charged as the row says) and by each potential."""
    rows = []
    for top, saddle in sorted(frames.items()):
        hop, marked, charge = top.partition("-saddle")
        for end in ("a", "b"):
            start = frames.get(f"{hop}-{end}{charge}")
            if not marked or start is None:
                continue
            what = {"hop": hop, "n_atoms": len(saddle), "charge": int(charge or 0), "from": end}
            rows.append(what | rise(start, saddle, potentials))
    return rows


def surface_rows(frames: Mapping[str, Atoms], potentials: Mapping[str, Potential]) -> list[dict[str, Any]]:
    """Surface energies, J/m2: (E(slab) - n E(bulk)) / 2A on the same structures."""
    rows = []
    for name, slab in sorted(frames.items()):
        crystal = name.split("-")[0]
        if not name.endswith(("-cut", "-relaxed")) or f"{crystal}-bulk" not in frames:
            continue
        bulk = frames[f"{crystal}-bulk"]
        row = {"slab": name, "n_atoms": len(slab), "dft": surface_energy(slab, bulk, *_energies(slab, bulk))}
        for label, potential in potentials.items():
            on_slab, on_bulk = potential.evaluate([bare(slab), bare(bulk)])
            row[label] = surface_energy(slab, bulk, on_slab.energy, on_bulk.energy)
        rows.append(row)
    return rows


def separation_rows(frames: Mapping[str, Atoms], potentials: Mapping[str, Potential]) -> list[dict[str, Any]]:
    """Energy of the interface pulled apart rigidly, J/m2 above its largest separation, on the same structures.

    The last row, where both slabs were computed alone, is what their sum is above the largest separation.
    """
    from screening.properties.adhesion.parent import EV_PER_A2

    pulled = {float(name.removeprefix("pulled-")): [a] for name, a in frames.items() if name.startswith("pulled-")}
    if len(pulled) < 2:
        return []
    far = max(pulled)
    parts: dict[float | str, list[Atoms]] = {d: pulled[d] for d in sorted(pulled)}
    alone = [a for name, a in frames.items() if name.startswith("alone-")]
    if len(alone) == 2:
        parts["alone"] = alone
    a, b = pulled[far][0].cell.array[:2]
    scale = EV_PER_A2 / float(np.linalg.norm(np.cross(a, b)))
    answers = {"dft": {d: sum(x.get_potential_energy() for x in own) for d, own in parts.items()}}
    for name, potential in potentials.items():
        answers[name] = {
            d: sum(e.energy for e in potential.evaluate([bare(x) for x in own])) for d, own in parts.items()
        }
    return [
        {"separation_A": d, **{name: (energies[d] - energies[far]) * scale for name, energies in answers.items()}}
        for d in parts
    ]


def surface_energy(slab: Atoms, bulk: Atoms, on_slab: float, on_bulk: float) -> float:
    """J/m2 per surface of a slab with two."""
    from screening.properties.adhesion.parent import EV_PER_A2

    a, b = slab.cell.array[:2]
    area = float(np.linalg.norm(np.cross(a, b)))
    return (on_slab - on_bulk * len(slab) / len(bulk)) / (2 * area) * EV_PER_A2


def _energies(slab: Atoms, bulk: Atoms) -> tuple[float, float]:
    return slab.get_potential_energy(), bulk.get_potential_energy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--large", type=Path, default=LARGE)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--unfreeze", choices=("none", "all"), default="none")
    parser.add_argument("--large-only", action="store_true", help="surfaces, separation and hops in large cells only")
    arguments = parser.parse_args()
    potentials = {name: load_potential(name, "cpu", self_check=False) for name in POTENTIALS}
    settings = TrainingSettings(
        epochs=arguments.epochs, learning_rate=arguments.learning_rate, unfreeze=arguments.unfreeze
    )
    document: dict[str, Any] = {"machine": machine("chgnet"), "command": f"python {shlex.join(sys.argv)}"}
    document |= compare_large(arguments.large, arguments.labels, potentials, settings)
    if not arguments.large_only:
        document |= compare_small(arguments.labels, potentials, settings, arguments.folds)
    if arguments.json:
        write_json(arguments.json, document)


def compare_large(
    folder: Path, labels: Path, potentials: Mapping[str, Potential], settings: TrainingSettings
) -> dict[str, Any]:
    """Surface energies, the separation curve and the hops, as far as they are labelled."""
    tuned = tune(usable_frames([labels]), list(CRYSTALS), settings)
    print(f"held out {', '.join(CRYSTALS)}: best epoch {tuned.best_epoch}", flush=True)
    judged = {**potentials, TUNED: tuned.potential}
    frames = named_frames(folder)
    surfaces, separation, hops = (rows(frames, judged) for rows in (surface_rows, separation_rows, hop_rows))
    print_tables(surfaces, separation, hops)
    return {
        "data_version_large": DataLibrary(folder).version,
        "settings": settings.__dict__,
        "surfaces_J_m2": surfaces,
        "separation_J_m2": separation,
        "hops_eV": hops,
    }


def compare_small(
    labels: Path, potentials: Mapping[str, Potential], settings: TrainingSettings, n_folds: int
) -> dict[str, Any]:
    """Forces, relative energies and barriers, of the fine-tuned potential too."""
    frames = usable_frames([labels])
    folds = []
    for groups in deal(frames, n_folds):
        folds.append(tune(frames, groups, settings))
        print(f"held out {', '.join(groups)}: best epoch {folds[-1].best_epoch}", flush=True)
    rows = composition_rows(folds, potentials)
    forces, energies = (by_composition(rows, key) for key in POOLED)
    summary = [{"potential": name} | {key: pooled(rows, name, key) for key in POOLED} for name in (*POTENTIALS, TUNED)]
    barriers = barrier_rows(named_frames(labels), folds, potentials)
    print_tables(forces, energies, summary, barriers)
    return {
        "data_version": DataLibrary(labels).version,
        "settings": settings.__dict__,
        "compositions": rows,
        "summary": summary,
        "barriers_eV": barriers,
    }


def print_tables(*tables: Sequence[Mapping[str, Any]]) -> None:
    """Every table that has rows, as Markdown."""
    for rows in tables:
        if rows:
            print(table(rows, {key: key for key in rows[0]}, FORMATS), end="\n\n")


if __name__ == "__main__":
    main()
