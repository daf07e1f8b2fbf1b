"""Settings of a campaign: presets from configs/, a user's YAML file over them, the command line over both.

Every number has a lower and an upper bound. The upper ones lie far beyond what anybody computes and exist to catch
slips (a unit, a decimal comma, a digit too many) before hours are spent on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from screening.assets import asset
from screening.defaults import PHASES, POTENTIAL, VOLTAGE
from screening.errors import UserError
from screening.names import nearest
from screening.quantities.settings import RankingSettings, check_threshold
from screening.typed.explain import explain
from screening.typed.section import Section
from screening.typed.values import check_decimal_comma, plain_text, read_fraction
from screening.typed.yaml_file import read_yaml

SlabStartName = Literal["cut", "search", "half", "parent", "rattled"]
"""Cut from bulk; from the placement search; the interface's half; like the lowest pristine slab; that, rattled."""

SUBSTRATE_STARTS = frozenset({"cut", "half", "rattled"})
"""The starts that the cathode's slab has; the others are arrangements of dopants, of which it has none."""

MillerIndex = Annotated[int, Field(ge=-9, le=9)]

MAX_FU = 100
"""Formula units of a cell: 500 atoms. The cell is chosen among all sublattices, whose number grows as the square."""
MANY = 10_000
"""More of anything that is drawn, relaxed or repeated is a slip."""
MAX_SEED = 2**32 - 1
"""The largest that every random generator takes."""


class BulkSettings(Section):
    """Doped bulk: orderings drawn, how many of them are relaxed, and to what force (eV/A)."""

    n_fu: int = Field(12, ge=2, le=MAX_FU, description="formula units of the doped bulk cell")
    n_draws: int = Field(60, ge=1, le=100_000, description="orderings drawn and ranked by Ewald energy")
    n_relaxed: int = Field(3, ge=1, le=MANY, description="lowest-Ewald orderings that are relaxed")
    fmax: float = Field(0.05, gt=0, le=10, description="eV/A")
    max_steps: int = Field(400, ge=1, le=1_000_000)


class InterfaceSettings(Section):
    """The parent interface: thick enough that another plane moves adhesion by less than 0.05 J/m2."""

    coating_millers: list[tuple[MillerIndex, MillerIndex, MillerIndex]] = Field([(1, 1, 0)], min_length=1)
    cathode_millers: list[tuple[MillerIndex, MillerIndex, MillerIndex]] = Field([(1, 1, 0)], min_length=1)
    min_planes: int = Field(4, ge=2, le=40, description="atomic planes per slab")
    min_thickness: float = Field(8.0, ge=0, le=100, description="A per slab")
    vacuum: float = Field(15.0, ge=10, le=100, description="A")
    max_strain: float = Field(0.05, gt=0, le=0.3, description="largest in-plane strain of the coating")
    max_area: float = Field(200.0, gt=0, le=1000, description="A^2; the search for matches grows as its square")
    max_atoms: int = Field(400, ge=20, le=MANY)
    registry_grid: tuple[Annotated[int, Field(ge=1, le=50)], Annotated[int, Field(ge=1, le=50)]] = (4, 4)
    gaps: list[Annotated[float, Field(gt=0, le=5)]] = Field([1.6, 2.0, 2.4, 2.8], min_length=1, description="A")
    registry_relaxed: int = Field(2, ge=1, le=MANY, description="best registries that get a short relaxation")
    registry_steps: int = Field(20, ge=0, le=MANY)
    parent_starts: int = Field(4, ge=1, le=MANY, description="full relaxations of the parent: as scanned, then rattled")
    parent_hops: int = Field(12, ge=0, le=MANY, description="generations of basin hopping from the lowest of these")
    frozen_fraction: float = Field(0.5, ge=0, lt=1, description="outer share of the substrate that is frozen")

    @field_validator("coating_millers", "cathode_millers", mode="before")
    @classmethod
    def _three_indices(cls, millers: Any) -> Any:
        if not isinstance(millers, list) or any(not isinstance(m, list | tuple) or len(m) != 3 for m in millers):
            raise ValueError("give a list of planes with three Miller indices each, for example [[1, 1, 0]]")
        return millers

    @field_validator("coating_millers", "cathode_millers")
    @classmethod
    def _planes(cls, millers: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        if any(not any(indices) for indices in millers):
            raise ValueError("the Miller indices 0 0 0 name no plane; give for example [1, 1, 0]")
        return millers


class AdhesionSettings(Section):
    """Placement search, states of charge and references."""

    soc: list[float] = Field([1.0, 2 / 3, 1 / 3, 0.0])
    contact_placements: int = Field(4, ge=1, le=MANY)
    inner_placements: int = Field(1, ge=0, le=MANY)
    n_draws: int = Field(40, ge=1, le=100_000, description="placements drawn and ranked by Ewald energy")
    vacancy_orders: int = Field(3, ge=1, le=1000, description="Li-vacancy orders of the cathode per y, shared by all")
    rounds: int = Field(
        2, ge=1, le=100, description="placement searches; each starts from the lowest pristine interface so far"
    )
    prerelax_steps: int = Field(40, ge=0, le=MANY, description="steps of the short relaxation that ranks placements")
    race_steps: int = Field(
        0,
        ge=0,
        le=MANY,
        description="steps after which a hopeless placement is given up; 0: all are relaxed to the end",
    )
    race_margin: float = Field(
        2.0, gt=0, le=1000, description="eV above the lowest placement that count as hopeless then"
    )
    n_full: int = Field(1, ge=1, le=MANY, description="placements that are relaxed fully after the short relaxation")
    rattle: float = Field(0.2, ge=0, le=2, description="A, of rattled starts and hops of the parent and of the slabs")
    move: Literal["independent", "soft"] = Field(
        "independent", description="how starts and hops of the parent are rattled: atom by atom or along soft motions"
    )
    n_rattled: int = Field(3, ge=1, le=MANY, description="rattled starts of every slab")
    hop_width: int = Field(
        2, ge=1, le=MANY, description="hops of one generation, all from the lowest arrangement so far"
    )
    slab_hops: int = Field(8, ge=0, le=MANY, description="generations of basin hopping of the pristine coating slab")
    slab_starts: list[SlabStartName] = Field(["cut", "search", "half", "parent", "rattled"], min_length=1)
    fmax: float = Field(0.05, gt=0, le=10, description="eV/A")
    max_steps: int = Field(400, ge=1, le=1_000_000)
    n_bootstrap: int = Field(1000, ge=10, le=1_000_000)

    @field_validator("soc")
    @classmethod
    def _within_range(cls, soc: list[float]) -> list[float]:
        if not soc:
            raise ValueError("give at least one state of charge, for example 1,1/3")
        if bad := [y for y in soc if not 0 <= y <= 1]:
            raise ValueError(f"a state of charge lies between 0 (charged) and 1 (discharged), not {bad[0]:g}")
        return sorted(set(soc), reverse=True)


class MigrationSettings(Section):
    """Hop network and NEB."""

    min_image_distance: float = Field(9.0, gt=0, le=50, description="A between periodic images of the carrier")
    n_fu: int = Field(24, ge=2, le=MAX_FU)
    hops: Literal["representative", "network"] = "network"
    min_hops: int = Field(2, ge=2, le=MANY, description="distinct hops computed per candidate when representative")
    max_hops: int = Field(
        12, ge=2, le=MANY, description="cap on bands per candidate; the rest take their class's value, flagged"
    )
    max_hop_distance: float = Field(4.2, gt=0, le=10, description="A")
    n_images: int = Field(5, ge=1, le=100)
    fmax: float = Field(0.05, gt=0, le=10, description="eV/A")
    endpoint_fmax: float = Field(0.05, gt=0, le=10, description="eV/A")
    max_steps: int = Field(200, ge=1, le=1_000_000)
    endpoint_max_steps: int = Field(300, ge=1, le=1_000_000)


class StabilitySettings(Section):
    """Competing phases, the voltage of the driving force and what the coating may react with."""

    phases: str = Field(PHASES, description="listed, mp (Materials Project) or a pymatgen JSON file of entries")
    electrolyte: str = Field("LPSCB", description="electrolyte crystal of the reaction energies")

    voltage: float = Field(VOLTAGE, ge=0, le=8, description="V vs Li/Li+ of oxidation_driving_force")
    delithiation_sites: int = Field(2, ge=1, le=1000, description="distinct Li sites tried for delithiation_voltage")
    fmax: float = Field(0.05, gt=0, le=10, description="eV/A")
    max_steps: int = Field(400, ge=1, le=1_000_000)


class Settings(Section):
    """Everything that decides a campaign's numbers."""

    preset: str = "standard"
    host: str = "LiNbO3"
    congruent: bool = False
    cathode: str = "NCM811"
    site: Literal["Li", "Nb", "auto"] = "auto"
    compensation: list[Literal["li_vacancy", "li_interstitial", "o_vacancy", "self"]] = Field(
        ["li_vacancy", "li_interstitial", "self"], min_length=1
    )
    potential: str = POTENTIAL
    seed: int = Field(0, ge=0, le=MAX_SEED)
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
        Unknown preset or key (with the nearest valid name), a value out of range, values that contradict each other,
        or a file that `yaml_file.read_yaml` refuses.
    """
    own = read_yaml(config, "correct it or leave --config out") if config is not None else {}
    name = preset if preset is not None else str(own.get("preset", "standard"))
    if name not in preset_names():
        raise UserError(f"there is no preset {name!r}; {nearest(name, preset_names())}.")
    shipped = asset("configs", "presets", f"{name}.yaml")
    layers = [read_yaml(shipped, "reinstall coatscreen"), own, {"preset": name}, overrides]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise UserError(explain(error, Settings, config, overrides)) from error
    _check_consistent(settings)
    return settings


def parse_soc(text: str) -> list[float]:
    """States of charge as users type them, ``1,2/3,1/3,0``.

    Raises
    ------
    UserError
        For what is no list of numbers, or may be a decimal comma.
    """
    typed = plain_text(text)
    check_decimal_comma(typed, "--soc", "states of charge", largest=1)
    try:
        return [read_fraction(part.strip()) for part in typed.split(",")]
    except (ValueError, ArithmeticError) as error:
        raise UserError(f"--soc {text!r} is not a list of numbers; write for example 1,2/3,1/3,0.") from error


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Deep merge of mappings; anything else in `over` replaces what `base` has."""
    out = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _merge(out[key], value) if both else value
    return out


def _check_consistent(s: Settings) -> None:
    """Refuse values that are fine each and cannot be met together. Stored settings are not asked: they have run."""
    pairs = [
        ("migration.min_hops", s.migration.min_hops, "migration.max_hops", s.migration.max_hops),
        ("bulk.n_relaxed", s.bulk.n_relaxed, "bulk.n_draws", s.bulk.n_draws),
        ("adhesion.contact_placements", s.adhesion.contact_placements, "adhesion.n_draws", s.adhesion.n_draws),
        ("adhesion.inner_placements", s.adhesion.inner_placements, "adhesion.n_draws", s.adhesion.n_draws),
    ]
    for small, low, large, high in pairs:
        if low > high:
            raise UserError(f"{small} is {low} and {large} is {high}: {large} has to be at least {small}.")
    for name, value in s.ranking.model_dump(exclude={"weights"}, exclude_none=True).items():
        check_threshold(name, value, f"ranking.{name}")
    if not set(s.adhesion.slab_starts) & SUBSTRATE_STARTS:
        raise UserError(
            f"adhesion.slab_starts is {', '.join(s.adhesion.slab_starts)}: none of them gives the cathode's slab alone "
            "a start, without which there is no adhesion; add cut, half or rattled."
        )
