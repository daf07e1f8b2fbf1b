"""What is checked before anything is computed or written, so that a campaign that passes can start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from screening.campaign.load import read_summary
from screening.chemistry.compensation import rescale
from screening.chemistry.content import parse_content
from screening.chemistry.crystal_facts import available_crystals
from screening.chemistry.grid import CandidateGrid
from screening.config import Settings
from screening.engine.running.whereabouts import SUMMARY
from screening.errors import CandidateFailed, UserError
from screening.files import check_writable
from screening.names import nearest
from screening.structures.crystals.crystals import load_crystal
from screening.structures.hops.hops import hop_network
from screening.structures.hops.supercells import check_supercell, isotropic_supercell

WORKERS_PER_CORE = 4
"""More processes than this on a core only wait for each other, and each holds a model in memory."""


def check_crystals(settings: Settings) -> None:
    """Refuse a host, cathode or electrolyte that datasets/crystals does not hold."""
    chosen = (("host", settings.host), ("cathode", settings.cathode), ("electrolyte", settings.stability.electrolyte))
    for role, name in chosen:
        names = available_crystals(role)
        crystal, _, variant = name.partition(":")
        if crystal in names and variant == "congruent" and role == "host":  # the command line's spelling
            raise UserError(f"host in --config is {name!r}; write `host: {crystal}` and `congruent: true` there.")
        if name not in names:
            raise UserError(f"there is no {role} {name!r}; {nearest(name, names)}.")


def check_grid(grid: CandidateGrid, x: str, n_fu: int) -> None:
    """Refuse a request for dopants of which nothing but the pristine host is left.

    Raises
    ------
    UserError
        Says why the first of what was asked for cannot be had, and which contents can.
    """
    if any(not c.is_pristine for c in grid.candidates) or all(high == 0 for _, high in parse_content(x)):
        return
    # a content that does not fit is easier to mend than a place that does not
    first = next((s for s in grid.skipped if s.by_content), grid.skipped[0] if grid.skipped else None)
    why = f"{first.label}: {first.reason}" if first else "no content was asked for"
    advice = f"contents are multiples of 1/{n_fu} here, one per dopant atom in bulk.n_fu formula units"
    if first is not None and not first.by_content:
        advice = "choose other dopants, or force a place with --site"
    raise UserError(f"nothing is left of this request but the pristine host ({why}); {advice}.")


def check_cells(grid: CandidateGrid, settings: Settings) -> None:
    """Refuse sizes of the doped bulk and of the barrier cell that the host does not have, or that hold no dopant.

    Raises
    ------
    UserError
        Names the setting.
    """
    host = load_crystal(settings.host)
    for name, n_fu in (("bulk.n_fu", settings.bulk.n_fu), ("migration.n_fu", settings.migration.n_fu)):
        try:
            check_supercell(host, n_fu)
            for candidate in grid.candidates:
                rescale(candidate, n_fu)
        except (UserError, CandidateFailed) as error:
            raise UserError(f"{name} is {n_fu}: {str(error).rstrip('.')}; change {name} in --config.") from error


def check_hops(settings: Settings) -> None:
    """Refuse a reach of hops that ends before the next Li site of the host's barrier cell."""
    cell = isotropic_supercell(load_crystal(settings.host), settings.migration.n_fu)
    reach = settings.migration.max_hop_distance
    if not any(hop.start != hop.end for hop in hop_network(cell, reach).hops):
        raise UserError(
            f"no Li site of {settings.host} has another one within migration.max_hop_distance = {reach:g} A in a cell "
            f"of {settings.migration.n_fu} formula units; raise one of the two, the default is 4.2 A."
        )


def check_chemistry(grid: CandidateGrid, settings: Settings, device: str) -> None:
    """Refuse elements that the potential or the competing phases do not know.

    Raises
    ------
    UserError
        Names the elements.
    """
    from screening.campaign.stages.screen import screened_elements
    from screening.properties.stability.competing import (
        check_competition,
        check_source,
        check_supported,
        check_zero_points,
    )

    elements = screened_elements(grid.candidates, settings)
    check_supported(settings.potential, elements)
    check_zero_points(settings.potential, elements)
    check_source(settings.stability.phases, elements, settings.potential, device)
    if settings.stability.phases == "listed":
        check_competition([c.elements for c in grid.candidates])


def check_workers(workers: int | None, cores: int) -> None:
    """Refuse far more processes than the machine has cores."""
    if workers is not None and workers > WORKERS_PER_CORE * cores:
        raise UserError(
            f"--workers {workers} is more than {WORKERS_PER_CORE} for each of the {cores} cores that this process may "
            "use; leave it out for one per core."
        )


def free_folder(folder: Path, fingerprint: str) -> Path:
    """`folder`, or the first of ``folder-2``, ``folder-3``, ... that holds this campaign or nothing."""
    place, number = folder, 1
    while not _is_free(place, fingerprint):
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    return place


def _is_free(folder: Path, fingerprint: str) -> bool:
    """Whether a folder holds the campaign of that fingerprint, or nothing."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return True
    return (folder / SUMMARY).is_file() and read_summary(folder).get("fingerprint") == fingerprint


def check_folder(folder: Path, identity: Mapping[str, Any], fingerprint: str) -> None:
    """Refuse an output folder that holds something else than this campaign, or that cannot be written."""
    check_writable(folder, "--out")
    if not folder.exists() or not any(folder.iterdir()):
        return
    summary = folder / SUMMARY
    if not summary.exists():
        raise UserError(f"{folder} is not empty and is no run folder; choose another --out.")
    stored = read_summary(folder)
    if stored.get("fingerprint") != fingerprint:
        difference = _difference(stored, identity)
        raise UserError(f"{folder} belongs to a different campaign ({difference}); choose another --out.")


def _difference(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first setting that is not the same, with both values."""
    one, other = _flat(stored), _flat(asked)
    for key, value in other.items():
        if one.get(key) != value:
            return f"its {key} is {one.get(key)}, yours {value}"
    return f"see its {SUMMARY}"


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Values by dotted key; those of the settings without that word."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{above}.{key}" if above and above != "settings" else str(key)
        found |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found
