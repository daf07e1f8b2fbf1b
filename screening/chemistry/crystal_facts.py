"""What datasets/crystals states of a crystal, one file each; `structures.crystals.crystals` builds its atoms."""

from __future__ import annotations

from functools import cache
from typing import Any

from screening.assets import asset
from screening.errors import UserError
from screening.names import nearest
from screening.typed.yaml_file import load_shipped


def available_crystals(role: str | None = None) -> list[str]:
    """Names of the crystals, sorted; only those of one role ("host", "cathode", "electrolyte") if given."""
    names = sorted(path.stem for path in asset("datasets", "crystals").glob("*.yaml"))
    return names if role is None else [name for name in names if crystal_facts(name)["role"] == role]


def crystal_facts(name: str) -> dict[str, Any]:
    """What is known of a crystal: formula, role, space group, lattice (A), sites with formal charges (e), sources.

    Raises
    ------
    UserError
        When there is no such crystal; names the nearest valid one.
    """
    names = available_crystals()
    if name not in names:
        raise UserError(f"there is no crystal {name!r}; {nearest(name, names)}.")
    return dict(_read(name))


@cache
def _read(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = load_shipped(asset("datasets", "crystals", f"{name}.yaml").read_text(encoding="utf-8"))
    return facts
