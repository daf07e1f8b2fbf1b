"""What there is to choose from, for help texts; read from the tables, which import nothing that computes."""

from __future__ import annotations

from screening.chemistry.hosts import host_names
from screening.potentials.families import table as families

__all__ = ["families", "host_names"]
