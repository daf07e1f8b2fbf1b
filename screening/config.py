"""Settings of a campaign: presets from configs/, a user's YAML file over them, the command line over both."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from screening.assets import asset
from screening.errors import UserError
from screening.names import nearest

SlabStartName = Literal["cut", "search", "half", "parent", "rattled"]
"""Cut from bulk; from the placement search; the interface's half; like the lowest pristine slab; that, rattled."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BulkSettings(_Section):
    """Doped bulk: orderings drawn, how many of them are relaxed, and to what force (eV/A)."""

    n_fu: int = Field(12, ge=2, description="formula units of the doped bulk cell")
    n_draws: int = Field(60, ge=1, description="orderings drawn and ranked by Ewald energy")
    n_relaxed: int = Field(3, ge=1, description="lowest-Ewald orderings that are relaxed")
    fmax: float = Field(0.05, gt=0)
    max_steps: int = Field(400, ge=1)


class InterfaceSettings(_Section):
    """The parent interface of design section 2."""

    coating_millers: list[tuple[int, int, int]] = [(1, 1, 0)]
    cathode_millers: list[tuple[int, int, int]] = [(1, 1, 0)]
    min_planes: int = Field(4, ge=2, description="atomic planes per slab")
    min_thickness: float = Field(8.0, ge=0, description="A per slab")
    vacuum: float = Field(15.0, ge=10, description="A")
    max_strain: float = Field(0.05, gt=0, description="largest in-plane strain of the coating")
    max_area: float = Field(200.0, gt=0, description="A^2")
    max_atoms: int = Field(400, ge=20)
    registry_grid: tuple[int, int] = (4, 4)
    gaps: list[float] = [1.6, 2.0, 2.4, 2.8]
    registry_relaxed: int = Field(2, ge=1, description="best registries that get a short relaxation")
    registry_steps: int = Field(20, ge=0)
    parent_starts: int = Field(4, ge=1, description="full relaxations of the parent: as scanned, then rattled")
    parent_hops: int = Field(12, ge=0, description="generations of basin hopping from the lowest of these")
    frozen_fraction: float = Field(0.5, ge=0, lt=1, description="outer share of the substrate that is frozen")


class AdhesionSettings(_Section):
    """Placement search, states of charge and references."""

    soc: list[float] = [1.0, 2 / 3, 1 / 3, 0.0]
    contact_placements: int = Field(4, ge=1)
    inner_placements: int = Field(1, ge=0)
    n_draws: int = Field(40, ge=1, description="placements drawn and ranked by Ewald energy")
    vacancy_orders: int = Field(3, ge=1, description="Li-vacancy orders of the cathode per y, shared by all")
    rounds: int = Field(
        2, ge=1, description="placement searches; each starts from the lowest pristine interface so far"
    )
    prerelax_steps: int = Field(40, ge=0, description="steps of the short relaxation that ranks placements")
    race_steps: int = Field(
        0, ge=0, description="steps after which a hopeless placement is given up; 0: all are relaxed to the end"
    )
    race_margin: float = Field(2.0, gt=0, description="eV above the lowest placement that count as hopeless then")
    n_full: int = Field(1, ge=1, description="placements that are relaxed fully after the short relaxation")
    rattle: float = Field(0.2, ge=0, description="A, of rattled starts and hops of the parent and of the slabs")
    move: Literal["independent", "soft"] = Field(
        "independent", description="how starts and hops of the parent are rattled: atom by atom or along soft motions"
    )
    n_rattled: int = Field(3, ge=1, description="rattled starts of every slab")
    hop_width: int = Field(2, ge=1, description="hops of one generation, all from the lowest arrangement so far")
    slab_hops: int = Field(8, ge=0, description="generations of basin hopping of the pristine coating slab")
    slab_starts: list[SlabStartName] = ["cut", "search", "half", "parent", "rattled"]
    fmax: float = Field(0.05, gt=0)
    max_steps: int = Field(400, ge=1)
    n_bootstrap: int = Field(1000, ge=10)

    @field_validator("soc")
    @classmethod
    def _within_range(cls, soc: list[float]) -> list[float]:
        if not soc:
            raise ValueError("give at least one state of charge, for example 1,1/3")
        if bad := [y for y in soc if not 0 <= y <= 1]:
            raise ValueError(f"a state of charge lies between 0 (charged) and 1 (discharged), not {bad[0]:g}")
        return sorted(set(soc), reverse=True)


class MigrationSettings(_Section):
    """Hop network and NEB."""

    min_image_distance: float = Field(9.0, gt=0, description="A between periodic images of the carrier")
    n_fu: int = Field(24, ge=2)
    hops: Literal["representative", "network"] = "network"
    min_hops: int = Field(2, ge=2, description="distinct hops computed per candidate when representative")
    max_hops: int = Field(
        12, ge=2, description="cap on bands per candidate; the rest take their class's value, flagged"
    )
    max_hop_distance: float = Field(4.2, gt=0, description="A")
    n_images: int = Field(5, ge=1)
    fmax: float = Field(0.05, gt=0)
    endpoint_fmax: float = Field(0.05, gt=0)
    max_steps: int = Field(200, ge=1)
    endpoint_max_steps: int = Field(300, ge=1)


class StabilitySettings(_Section):
    """Competing phases, the voltage of the driving force and what the coating may react with."""

    phases: str = Field("listed", description="listed, mp (Materials Project) or a pymatgen JSON file of entries")
    electrolyte: str = Field("LPSCB", description="electrolyte crystal of the reaction energies")

    voltage: float = Field(4.3, description="V vs Li/Li+ of oxidation_driving_force")
    delithiation_sites: int = Field(2, ge=1, description="distinct Li sites tried for delithiation_voltage")
    fmax: float = Field(0.05, gt=0)
    max_steps: int = Field(400, ge=1)


class RankingSettings(_Section):
    """Weights of the documented score (design section 1) and optional thresholds that remove a candidate."""

    weights: dict[
        Literal["work_of_adhesion", "migration_barrier", "oxidation_driving_force", "e_above_hull"], float
    ] = {"work_of_adhesion": 1.0, "migration_barrier": 1.0, "oxidation_driving_force": 1.0, "e_above_hull": 1.0}
    max_e_above_hull: float | None = Field(None, description="eV/atom")
    min_work_of_adhesion: float | None = Field(None, description="J/m2")
    max_migration_barrier: float | None = Field(None, description="eV")
    min_reaction_energy_cathode: float | None = Field(None, description="eV/atom, negative; more reactive ones go")
    min_reaction_energy_electrolyte: float | None = Field(None, description="eV/atom, negative; more reactive ones go")


class Settings(_Section):
    """Everything that decides a campaign's numbers."""

    preset: str = "standard"
    host: str = "LiNbO3"
    congruent: bool = False
    cathode: str = "NCM811"
    site: Literal["Li", "Nb", "auto"] = "auto"
    compensation: list[Literal["li_vacancy", "li_interstitial", "o_vacancy", "self"]] = [
        "li_vacancy",
        "li_interstitial",
        "self",
    ]
    potential: str = "chgnet"
    seed: int = 0
    bulk: BulkSettings = BulkSettings()
    interface: InterfaceSettings = InterfaceSettings()
    adhesion: AdhesionSettings = AdhesionSettings()
    migration: MigrationSettings = MigrationSettings()
    stability: StabilitySettings = StabilitySettings()
    ranking: RankingSettings = RankingSettings()


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in asset("configs", "presets").glob("*.yaml"))


def load_settings(preset: str | None, config: Path | None, overrides: dict[str, Any]) -> Settings:
    """Preset, then the user's file over it, then the command line over both.

    Parameters
    ----------
    preset
        Name from the command line; None means the file's `preset` or ``"standard"``.
    config
        A YAML file with any subset of the keys of `Settings`.
    overrides
        Nested mapping of the command line's values.

    Raises
    ------
    UserError
        Unknown preset or key (with the nearest valid name), a value out of range, or a file that is not YAML.
    """
    own = _read_yaml(config) if config is not None else {}
    name = preset or str(own.get("preset", "standard"))
    if name not in preset_names():
        raise UserError(f"there is no preset {name!r}; {nearest(name, preset_names())}.")
    layers = [_read_yaml(asset("configs", "presets", f"{name}.yaml")), own, {"preset": name}, overrides]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise UserError(_explain(error, config)) from error


def parse_soc(text: str) -> list[float]:
    """States of charge as users type them, ``1,2/3,1/3,0``."""
    try:
        return [float(Fraction(part.strip())) for part in text.split(",")]
    except (ValueError, ZeroDivisionError) as error:
        raise UserError(f"--soc {text!r} is not a list of numbers; write for example 1,2/3,1/3,0.") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the configuration {path} cannot be read ({error.strerror}); check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(f"{path} is not a YAML file{line}; correct it or leave --config out.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold `key: value` lines such as `preset: quick`, not a {type(data).__name__}.")
    return data


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Deep merge of mappings; anything else in `over` replaces what `base` has."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merge(out[key], value) if both else value
    return out


def _explain(error: ValidationError, config: Path | None) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    where = f"in {config}" if config is not None else "in the settings"
    if first["type"] == "extra_forbidden":
        section: type[BaseModel] = Settings
        for part in path[:-1]:
            section = section.model_fields[part].annotation  # type: ignore[assignment]
        return f"{'.'.join(path)} {where} is not a setting; {nearest(path[-1], section.model_fields)}."
    message = first["msg"].removeprefix("Value error, ")
    return f"{'.'.join(path)} {where}: {message[0].lower()}{message[1:]} (got {first['input']!r})."
