"""How final energies of shaken starts are summed up."""

from __future__ import annotations

from relax_spread import summary


def test_energies_count_from_the_lowest_of_both_sides() -> None:
    def run(energy: float, calls: int, *, converged: bool = True) -> dict[str, float | bool]:
        return {"energy_eV": energy, "calls": calls, "converged": converged}

    runs = {"ours": [run(-10.0, 5), run(-9.9, 7)], "lbfgs": [run(-9.98, 20), run(-9.96, 30, converged=False)]}
    found = summary(runs, 10)
    assert [round(e, 6) for e in found["above_ours_meV_atom"]] == [0.0, 10.0]
    assert [round(e, 6) for e in found["above_lbfgs_meV_atom"]] == [2.0, 4.0]
    assert (found["calls_ours"], found["calls_lbfgs"]) == (6, 25)
    assert (found["unconverged_ours"], found["unconverged_lbfgs"]) == (0, 1)
