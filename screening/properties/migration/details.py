"""What a record of a migration barrier holds, for its writer and its readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field

from screening.engine.running.parts import Parts
from screening.typed.details import UNSAID, Details

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class MigrationParts(Parts[T], Generic[T]):
    """What a barrier rests on.

    Attributes
    ----------
    ends
        Relaxed end points by site; the doped cell, which is one where its own vacancy moves, has its own record.
    bands
        One per hop that gave a barrier, in the order of the record's details.
    """

    ends: tuple[T, ...]
    bands: tuple[T, ...]

    @classmethod
    def by_position(cls, keys: Sequence[str], details: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """The end points, then as many bands as hops were used."""
        n = len(keys) - sum(hop.used for hop in MigrationDetails.from_details(details).hops)
        if n < 0:
            raise ValueError(f"{len(keys)} structures of {len(keys) - n} hops that were used")
        return {"ends": tuple(keys[:n]), "bands": tuple(keys[n:])}


@dataclass(frozen=True, kw_only=True)
class _BetweenSites(Details):
    """Labels of the sites that a hop starts from and ends at; they stand first in its details."""

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]

    @property
    def sites(self) -> tuple[str, str]:
        return self.start, self.end


@dataclass(frozen=True, kw_only=True)
class HopDetails(_BetweenSites):
    """A hop that a band was computed for.

    Attributes
    ----------
    start, end
        Labels of its sites.
    image
        Cell that `end` lies in, relative to that of `start`.
    kind
        ``vacancy``, ``interstitial`` or ``interstitialcy``.
    distance, dopant_distance
        Its length, and how far its middle is from the nearest dopant (None without one), A.
    forward, backward
        Barriers from `start` and from `end`, eV; None where the band gave no path.
    converged, fmax, n_force_calls
        Of the band; eV/A.
    used
        It gave a barrier that counts; otherwise `note` says why not.
    flags
        Of the band.
    """

    image: tuple[int, int, int] | None = None
    kind: str | None = None
    distance: float | None = None
    dopant_distance: float | None = None
    forward: float | None = None
    backward: float | None = None
    converged: bool | None = None
    fmax: float | None = None
    n_force_calls: int | None = None
    used: bool = False
    note: str = ""
    flags: tuple[str, ...] = ()

    @property
    def barriers(self) -> tuple[float, float] | None:
        """Forward and backward, eV; None where they are not known."""
        return None if self.forward is None or self.backward is None else (self.forward, self.backward)


@dataclass(frozen=True, kw_only=True)
class CriticalHop(_BetweenSites):
    """The hop of the network whose saddle decides the barrier, lengths in A; `computed` with a band of its own."""

    computed: bool | None = None
    distance: float | None = None
    dopant_distance: float | None = None


@dataclass(frozen=True, kw_only=True)
class DroppedHop(_BetweenSites):
    """A hop that was given up before a band was computed, and why."""

    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class MigrationDetails(Details):
    """Details of ``migration_barrier``, ``migration_barrier_1d`` and ``lowest_hop_barrier``.

    Attributes
    ----------
    mechanism
        Kind of the hop that decides the value.
    carrier_source
        ``compensating``, or ``made`` where a neutral Li was taken out.
    site_energies
        Of the relaxed end points above the lowest one, eV, by site.
    x_barrier
        Dopant content of the cell per formula unit.
    image_distance
        Shortest distance between periodic images of the carrier, A.
    n_atoms, n_sites, n_hops, n_inequivalent_hops
        Of the cell with the carrier, and of its network.
    bulk
        Key of the relaxed doped cell.
    saddles_from
        How many saddles of the network were ``computed``, follow by ``symmetry`` or from their ``class``, or were
        ``left_out``. Left out itself where nothing was computed.
    critical_hop, ground_site
        Where the network percolates: the hop that decides, and the site that the barrier counts from.
    isolated_trap_depth
        How far the lowest site of all lies below the ground site, eV.
    """

    mechanism: str | None = None
    carrier_source: str | None = None
    hops: tuple[HopDetails, ...] = ()
    dropped_hops: tuple[DroppedHop, ...] = ()
    site_energies: dict[str, float] = field(default_factory=dict)
    x_barrier: float | None = None
    image_distance: float | None = None
    n_atoms: int | None = None
    bulk: str | None = None
    n_sites: int | None = None
    n_hops: int | None = None
    n_inequivalent_hops: int | None = None
    saddles_from: dict[str, int] | None = field(default=None, metadata=UNSAID)
    critical_hop: CriticalHop | None = field(default=None, metadata=UNSAID)
    ground_site: str | None = field(default=None, metadata=UNSAID)
    isolated_trap_depth: float | None = field(default=None, metadata=UNSAID)

    def barriers_between(self, first: str, second: str) -> tuple[float, float] | None:
        """Barriers of a computed hop from `first` and from `second`, eV; None where none joins them."""
        for hop in self.hops:
            if hop.barriers is not None and {first, second} == {hop.start, hop.end}:
                forward, backward = hop.barriers
                return (forward, backward) if hop.start == first else (backward, forward)
        return None
