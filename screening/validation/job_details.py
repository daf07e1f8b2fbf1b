"""What tells jobs of one role apart, for those who plan them and those who read them back from a manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from screening.typed.details import UNSAID, Details


@dataclass(frozen=True, kw_only=True)
class NoDetails(Details):
    """Of a job that its candidate and its role say all about, such as the cell with a vacancy."""


@dataclass(frozen=True, kw_only=True)
class BulkJobDetails(Details):
    """Of the doped bulk cell: its host formula units."""

    n_fu: int = 1


@dataclass(frozen=True, kw_only=True)
class SlabJobDetails(Details):
    """Of an interface or one of its slabs.

    Attributes
    ----------
    y, y_realised
        Li per cathode formula unit: the state of charge that was asked for and that of the cell. None for a coating,
        which is the same at every y; `y_realised` is that of an interface only.
    order
        Number of the cathode's vacancy order.
    area
        Of the in-plane cell, A2.
    """

    y: float | None = field(default=None, metadata=UNSAID)
    y_realised: float | None = field(default=None, metadata=UNSAID)
    order: int | None = field(default=None, metadata=UNSAID)
    area: float


Sites = Annotated[list[str], Field(min_length=2, max_length=2)]


@dataclass(frozen=True, kw_only=True)
class HopJobDetails(Details):
    """Of an end point or a band of a hop. The jobs of a hop share its lists, which their manifest writes once.

    Attributes
    ----------
    hop
        Labels of its first and last site.
    chosen_as
        ``critical`` and ``lowest``: why it is computed. Empty in manifests of early versions.
    stands_for
        Sites of the critical hop, where that one was not computed and this is the computed one most like it.
    side
        ``a`` or ``b``: which end point.
    saddle
        Number of the highest image of the potential's band.
    """

    hop: Sites
    chosen_as: list[str] = field(default_factory=list)
    stands_for: Sites | None = field(default=None, metadata=UNSAID)
    side: str | None = field(default=None, metadata=UNSAID)
    saddle: int | None = field(default=None, metadata=UNSAID)


@dataclass(frozen=True, kw_only=True)
class PhaseJobDetails(Details):
    """Of a competing phase: its name and formula in datasets/phases, and whether it is a molecule in a box."""

    phase: str | None = None
    formula: str | None = None
    molecule: bool | None = field(default=None, metadata=UNSAID)


@dataclass(frozen=True, kw_only=True)
class LabelJobDetails(Details):
    """Of a structure that somebody wants labelled: the numbers and texts that its file says of it."""

    said: dict[str, str | int | float]

    def to_details(self) -> dict[str, Any]:
        return dict(self.said)


JobDetails = NoDetails | BulkJobDetails | SlabJobDetails | HopJobDetails | PhaseJobDetails | LabelJobDetails
