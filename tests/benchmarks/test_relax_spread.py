"""How the seeds of a search are summed up."""

from __future__ import annotations

import pytest
from relax_spread import summary


def test_energies_are_counted_per_atom_from_ase_and_a_millielectronvolt_is_equal() -> None:
    row = {"case": "slab", "n_atoms": 10, "energy_ase_eV": -10.0, "force_calls_lbfgs": 200}
    runs = [
        {"energy_eV": -10.3, "calls": 100, "converged": True},
        {"energy_eV": -9.991, "calls": 50, "converged": True},
        {"energy_eV": -9.98, "calls": 80, "converged": False},
    ]
    found = summary(runs, row)
    above = [found[f"{kind}_meV_atom"] for kind in ("lowest", "median", "highest")]
    assert above == pytest.approx([-30.0, 0.9, 2.0])
    assert (found["not_higher"], found["converged"], found["seeds"]) == (2, 2, 3)
    assert (found["calls"], found["call_ratio_lbfgs"]) == (80, 2.5)
