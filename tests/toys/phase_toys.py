"""A toy energy model for phases: a sum over elements, and a bonus per anion in a compound."""

from collections.abc import Callable, Generator
from typing import Any

from ase import Atoms

from screening.engine.tasks import RelaxTask, Result
from screening.properties.stability.phases import PhaseEnergy

TOY = {"Li": -2.0, "Nb": -10.0, "O": -5.0, "Mg": -1.6}


def toy_energy(atoms: Atoms) -> float:
    """eV for the whole cell."""
    symbols = atoms.get_chemical_symbols()
    bonus = -float(symbols.count("O")) if len(set(symbols)) > 1 else 0.0
    return sum(TOY.get(s, -3.0) for s in symbols) + bonus


def toy_answer(task: RelaxTask) -> Result:
    return Result(
        key="k", atoms=task.atoms, energy=toy_energy(task.atoms), fmax=0.01, converged=True, n_steps=3, n_force_calls=3,
        wall_s=0.1,
    )  # fmt: skip


def phase(name: str, composition: dict[str, int], energy_per_atom: float, **changes: Any) -> PhaseEnergy:
    return PhaseEnergy(name=name, formula=name, composition=composition, energy_per_atom=energy_per_atom, **changes)


def run(flow: Generator[Any, Any, Any], answer: Callable[[Any], Any]) -> Any:
    """Drive a flow; `answer` turns a task into a result."""
    try:
        tasks = next(flow)
        while True:
            tasks = flow.send([answer(task) for task in tasks])
    except StopIteration as stop:
        return stop.value
