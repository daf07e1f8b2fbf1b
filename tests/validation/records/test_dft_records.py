"""Records from DFT energies, against values that follow by hand."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from dft_toys import DOPED, MLIP, PBE, PHASES, bulk_jobs, calculation, job, manifest, phase_jobs, record
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from screening.validation.records.records import records_from

# --- adhesion --------------------------------------------------------------------------------------------------------


def slabs(energies, y=1.0, area=50.0, order=0) -> tuple[list[Any], dict[str, Any]]:
    """Interface, substrate and coating of energies given in this order."""
    details = {"y": y, "order": order, "area": area}
    jobs = [
        job(f"{DOPED}/interface-y{y:.3g}", DOPED, "interface", "Li2NbNiO5", details=details, mlip_energy=-100.0),
        job(f"{DOPED}/substrate-y{y:.3g}", DOPED, "substrate", "LiNiO2", details=details, mlip_energy=-61.0),
        job(f"{DOPED}/coating", DOPED, "coating", "LiNbO3", details={"area": area}, mlip_energy=-35.0),
    ]
    formulas = ("Li2NbNiO5", "LiNiO2", "LiNbO3")
    return jobs, {j["name"]: [calculation(f, e)] for j, f, e in zip(jobs, formulas, energies, strict=True)}


def made(jobs, finished, records=()):
    found = records_from(manifest(jobs), finished, list(records), "kim2026")
    return {(r.property, r.details.get("y")): r for r in found}, {m.property: m.reason for m in found.missing}


def test_work_of_adhesion_is_minus_the_energy_gain_per_area():
    found, _ = made(*slabs((-100.0, -60.0, -35.0)))
    energy, work = found["adhesion_energy", 1.0], found["work_of_adhesion", 1.0]
    assert (energy.value, energy.unit) == (-5.0, "eV")
    assert work.value == pytest.approx(5.0 / 50.0 * 16.02176634, rel=1e-9)
    assert work.fidelity == "dft:vasp-pbe:kim2026"
    assert work.details["mlip"] == {"fidelity": MLIP, "value": pytest.approx(4.0 / 50.0 * 16.02176634, rel=1e-9)}
    assert work.details["energies_eV"] == {
        f"{DOPED}/interface-y1": -100.0, f"{DOPED}/substrate-y1": -60.0, f"{DOPED}/coating": -35.0,
    }  # fmt: skip


def test_the_interval_and_the_flags_of_the_structures_are_those_of_the_potential():
    own = record(
        DOPED, "work_of_adhesion", 1.0, "J/m2", interval=(0.9, 1.3), flags=("thin_slab", "reacted", "below_hull"),
        details={"y": 1.0, "orders": [{}, {}, {}]},
    )  # fmt: skip
    found, _ = made(*slabs((-100.0, -60.0, -35.0)), [own])
    work = found["work_of_adhesion", 1.0]
    assert work.interval == pytest.approx((work.value - 0.1, work.value + 0.3))
    assert work.flags == ("thin_slab", "reacted", "vacancy_orders:1of3")


def test_single_points_on_an_unconverged_structure_are_not_converged():
    jobs, finished = slabs((-100.0, -60.0, -35.0))
    finished = {n: [replace(c, ionic_converged=None) for c in cs] for n, cs in finished.items()}
    own = record(DOPED, "work_of_adhesion", 1.0, "J/m2", converged=False, details={"y": 1.0})
    for records, converged in (([], True), ([own], False)):
        work = made(jobs, finished, records)[0]["work_of_adhesion", 1.0]
        assert work.converged is converged
        assert "single_point" in work.flags


def test_u_of_the_cathode_is_part_of_the_fidelity_and_two_values_of_u_do_not_mix():
    jobs, finished = slabs((-100.0, -60.0, -35.0))
    with_u = {
        n: [replace(c, method=replace(PBE, hubbard={"Ni": 6.0})) for c in cs] if "coating" not in n else cs
        for n, cs in finished.items()
    }
    found, _ = made(jobs, with_u)
    assert found["work_of_adhesion", 1.0].fidelity == "dft:vasp-pbe+u:kim2026"
    name = f"{DOPED}/substrate-y1"
    other = {**with_u, name: [replace(with_u[name][0], method=replace(PBE, hubbard={"Ni": 6.2}))]}
    found, missing = made(jobs, other)
    assert ("work_of_adhesion", 1.0) not in found
    assert "another U value of Ni" in missing["work_of_adhesion"]


def test_what_a_potential_simulated_is_never_called_dft():
    jobs, finished = slabs((-100.0, -60.0, -35.0))
    simulated = {n: [replace(c, simulated_by="chgnet") for c in cs] for n, cs in finished.items()}
    assert made(jobs, simulated)[0]["work_of_adhesion", 1.0].fidelity == "mlip:chgnet-via-vasp"
    mixed = {**simulated, f"{DOPED}/coating": finished[f"{DOPED}/coating"]}
    found, missing = made(jobs, mixed)
    assert not found
    assert "not made by the same program" in missing["work_of_adhesion"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda jobs, done: done.pop(f"{DOPED}/coating"), "coating is not finished"),
        (lambda jobs, done: done[f"{DOPED}/substrate-y1"].__setitem__(
            0, replace(done[f"{DOPED}/substrate-y1"][0], ionic_converged=False)), "substrate-y1 is not converged"),
        (lambda jobs, done: jobs[1]["details"].update(area=51.0) or jobs[1].update(details=dict(jobs[1]["details"])),
         "do not share one in-plane cell"),
        (lambda jobs, done: done[f"{DOPED}/coating"].__setitem__(0, calculation("LiNb2O3", -35.0)), "do not add up"),
        (lambda jobs, done: done[f"{DOPED}/coating"].__setitem__(
            0, calculation("LiNbO3", -35.0, method=replace(PBE, functional="pbesol"))), "differ in functional"),
        (lambda jobs, done: jobs.pop(1), "no substrate slab"),
    ],
)  # fmt: skip
def test_slabs_that_are_missing_or_do_not_belong_together_give_a_reason_and_no_record(change, reason):
    jobs, done = slabs((-100.0, -60.0, -35.0))
    for j in jobs:
        j["details"] = dict(j["details"])
    change(jobs, done)
    found, missing = made(jobs, done)
    assert ("work_of_adhesion", 1.0) not in found
    assert reason in missing["work_of_adhesion"]


def test_one_state_of_charge_that_is_missing_does_not_cost_the_other():
    one, done = slabs((-100.0, -60.0, -35.0))
    two, more = slabs((-98.0, -59.0, -35.0), y=0.0)
    more.pop(f"{DOPED}/interface-y0")
    found, missing = made([*one, *two[:2]], {**done, **more})
    assert ("work_of_adhesion", 1.0) in found
    assert ("work_of_adhesion", 0.0) not in found
    assert "interface-y0 is not finished" in missing["work_of_adhesion"]


# --- barriers --------------------------------------------------------------------------------------------------------

HOPS = [
    {"from": "Li1", "to": "Li2", "forward": 0.9, "backward": 0.8, "used": True},
    {"from": "Li3", "to": "Li2", "forward": 0.5, "backward": 0.6, "used": True},
]


def potential_barrier(ground="Li1", critical=("Li1", "Li2"), value=0.9, **details):
    shared = {"hops": HOPS, "site_energies": {"Li1": 0.0, "Li2": 0.1, "Li3": 0.2}, **details}
    critical_hop = {"from": critical[0], "to": critical[1], "computed": True}
    return [
        record(DOPED, "migration_barrier", value, interval=(0.8, 1.0), flags=("network_partial",),
               details={**shared, "critical_hop": critical_hop, "ground_site": ground}),
        record(DOPED, "lowest_hop_barrier", 0.5, details=shared),
    ]  # fmt: skip


def hop_jobs(
    sites=("Li1", "Li2"), energies=(-50.0, -49.3, -48.6, -49.2, -49.8), charge=0, k=0, relax="none"
) -> tuple[list[Any], dict[str, Any]]:
    """Band of single points with its ends, or a relaxed one without them; the ends as jobs of their own beside it."""
    suffix = f"-q{charge}" if charge else ""
    place = f"{DOPED}/hop-{k}"
    shared = {"charge": charge, "relax": relax}
    jobs = [
        job(f"{place}/{side}{suffix}", DOPED, "end", details={"hop": list(sites), "side": side}, **shared)
        for side in ("a", "b")
    ]
    jobs.append(job(f"{place}/band{suffix}", DOPED, "band", details={"hop": list(sites), "saddle": 2}, **shared))
    single = {"ionic_converged": None if relax == "none" else True, "charge": charge}
    images = energies if relax == "none" else energies[1:-1]
    done = {jobs[2]["name"]: [calculation("Li11Nb12O36", e, **single) for e in images]}
    for end, energy in zip(jobs[:2], (energies[0], energies[-1]), strict=True):
        done[end["name"]] = [calculation("Li11Nb12O36", energy, **single)]
    return jobs, done


@pytest.mark.parametrize("relax", ["none", "atoms"])
def test_the_barrier_counts_from_the_ground_site_which_may_be_either_end(relax):
    for ground, expected, mlip in (("Li1", 1.4, 0.9), ("Li2", 1.2, 0.8)):
        found, _ = made(*hop_jobs(relax=relax), potential_barrier(ground))
        barrier = found["migration_barrier", None]
        assert barrier.value == pytest.approx(expected)
        assert barrier.details["counted_from"] == ground
        assert barrier.details["mlip"]["value"] == pytest.approx(mlip)
        assert barrier.flags[:2] == ("network_partial", "critical_hop_only")
        assert ("single_point" in barrier.flags) is (relax == "none")
        assert "site_energies_mlip" not in barrier.flags


def test_a_ground_site_elsewhere_is_reached_by_the_potentials_site_energies():
    """From the lower DFT end, Li2 at -50.1 eV, which the potential puts 0.1 eV above Li1."""
    found, _ = made(
        *hop_jobs(sites=("Li3", "Li2"), energies=(-50.0, -49.0, -50.1)), potential_barrier(critical=("Li3", "Li2"))
    )
    barrier = found["migration_barrier", None]
    assert barrier.value == pytest.approx(1.1 + 0.1)
    assert barrier.details["counted_from"] == "Li2"
    assert {"critical_hop_only", "site_energies_mlip"} <= set(barrier.flags)


def test_a_ground_site_that_was_never_relaxed_follows_from_the_potentials_barrier():
    """Potential: 1.05 eV above the ground site, 0.9 eV above Li1, so that Li1 lies 0.15 eV above the ground site."""
    found, _ = made(*hop_jobs(energies=(-50.0, -48.6, -49.8)), potential_barrier("Li9", value=1.05))
    assert found["migration_barrier", None].value == pytest.approx(1.4 + 0.15)


def test_a_hop_that_stands_for_the_critical_one_is_named():
    records = potential_barrier(critical=("Li7", "Li8"))
    jobs, done = hop_jobs()
    found, _ = made(jobs, done, records)
    barrier = found["migration_barrier", None]
    assert "critical_hop_stand_in" in barrier.flags
    assert barrier.details["stands_for"] == ["Li7", "Li8"]
    # of two hops the one whose barrier explains the potential's value stands in
    more, others = hop_jobs(sites=("Li3", "Li2"), energies=(-50.0, -49.0, -50.1), k=1)
    found, _ = made([*more, *jobs], {**done, **others}, records)
    assert found["migration_barrier", None].details["hop"] == ["Li1", "Li2"]


def test_of_a_made_vacancy_the_charged_variant_counts_and_the_neutral_one_is_kept():
    neutral, done = hop_jobs()
    charged, more = hop_jobs(energies=(-60.0, -58.9, -59.9), charge=-1)
    found, _ = made([*neutral, *charged], {**done, **more}, potential_barrier())
    barrier = found["migration_barrier", None]
    assert barrier.value == pytest.approx(1.1)
    assert barrier.details["charge"] == -1
    assert barrier.details["other_charges"] == [
        {"charge": 0, "forward": pytest.approx(1.4), "backward": pytest.approx(1.2)}
    ]
    # the neutral one never takes its place silently
    found, missing = made([*neutral, *charged], done, potential_barrier())
    assert ("migration_barrier", None) not in found
    assert "band-q-1 is not finished" in missing["migration_barrier"]


def test_the_lowest_hop_is_the_smaller_direction_of_the_potentials_lowest_hop():
    jobs, done = hop_jobs()
    found, missing = made(jobs, done, potential_barrier())
    assert "Li3-Li2 was not written" in missing["lowest_hop_barrier"]
    more, others = hop_jobs(sites=("Li2", "Li3"), energies=(-50.1, -49.0, -50.0), k=1)
    found, _ = made([*jobs, *more], {**done, **others}, potential_barrier())
    lowest = found["lowest_hop_barrier", None]
    assert lowest.value == pytest.approx(1.0)
    assert lowest.details["mlip"]["value"] == 0.5


@pytest.mark.parametrize(
    ("energies", "reason"), [((-50.0, -50.2, -49.8), "above both end points"), ((-50.0, -48.6, -49.8), None)]
)
def test_a_band_without_a_saddle_in_dft_gives_no_barrier(energies, reason):
    found, missing = made(*hop_jobs(energies=energies), potential_barrier())
    assert (("migration_barrier", None) in found) is (reason is None)
    assert reason is None or reason in missing["migration_barrier"]


def test_an_unconverged_image_or_end_gives_no_barrier():
    jobs, done = hop_jobs(relax="atoms")
    for name in (f"{DOPED}/hop-0/band", f"{DOPED}/hop-0/b"):
        bad = {**done, name: [*done[name][:-1], replace(done[name][-1], electronic_converged=False)]}
        found, missing = made(jobs, bad, potential_barrier())
        assert ("migration_barrier", None) not in found
        assert f"{name} is not converged" in missing["migration_barrier"]


# --- hulls -----------------------------------------------------------------------------------------------------------


def doped_energy(above: float) -> float:
    """Energy of Li10MgNb12O36 = 10 LiNbO3 + MgNb2O6 plus `above` eV in 59 atoms."""
    return 10 * PHASES["LiNbO3"][1] + PHASES["MgNb2O6"][1] + above


def stability_case(above=0.59):
    bulks, done = bulk_jobs(doped_energy(above))
    phases, more = phase_jobs()
    return [*bulks, *phases], {**done, **more}


def test_distance_to_a_known_hull():
    jobs, done = stability_case()
    found = {(r.candidate, r.property): r for r in records_from(manifest(jobs), done, [], "kim2026")}
    doped, host = found[DOPED, "e_above_hull"], found["LiNbO3", "e_above_hull"]
    assert doped.value == pytest.approx(0.01, abs=1e-9)
    # per host formula unit of the cell: 10 LiNbO3 and one MgNb2O6 in 12
    assert doped.details["decomposition"] == pytest.approx({"LiNbO3": 10 / 12, "MgNb2O6": 1 / 12}, abs=1e-5)
    assert "o2_uncorrected" not in doped.flags
    assert host.value == 0.0
    assert host.details["phase_separation_energy"] < -0.05
    assert found[DOPED, "band_gap"].value == 3.4
    # both oxidise to O2 at 4.3 V, which PBE makes too easy
    assert "o2_uncorrected" in found[DOPED, "oxidation_driving_force"].flags
    assert "o2_uncorrected" in found["LiNbO3", "window_oxidation"].flags


def test_window_of_the_host_agrees_with_pymatgen():
    jobs, done = stability_case()
    found = {(r.candidate, r.property): r for r in records_from(manifest(jobs), done, [], "kim2026")}
    entries = [PDEntry(Composition(f), e, name=n) for n, (f, e) in PHASES.items()]
    metal = -2.0
    for end, inside in (("reduction", 1), ("oxidation", -1)):
        limit = found["LiNbO3", f"window_{end}"].value
        for voltage, stable in ((limit + inside * 1e-4, True), (limit - inside * 1e-4, False)):
            diagram: Any = GrandPotentialPhaseDiagram(entries, {Element("Li"): metal - voltage})
            assert ("LiNbO3" in {e.original_entry.name for e in diagram.stable_entries}) is stable


def test_hull_distance_agrees_with_pymatgen_wherever_the_candidate_lies():
    entries = [PDEntry(Composition(f), e, name=n) for n, (f, e) in PHASES.items()]
    diagram = PhaseDiagram(entries)
    for above in (-0.3, 0.0, 2.0):
        jobs, done = stability_case(above)
        records = {r.candidate: r for r in records_from(manifest(jobs), done, [], "kim2026")
                   if r.property == "e_above_hull"}  # fmt: skip
        entry = PDEntry(Composition("Li10MgNb12O36"), doped_energy(above))
        expected = diagram.get_decomp_and_e_above_hull(entry, allow_negative=True, check_stable=False)[1]
        assert records[DOPED].value == pytest.approx(expected, abs=1e-9)


def test_a_hull_needs_every_phase_and_reference():
    jobs, done = stability_case()
    lost = {n: c for n, c in done.items() if n != "phases/Nb2O5"}
    found, missing = made(jobs, lost)
    assert not [key for key in found if key[0] in ("e_above_hull", "oxidation_driving_force", "window_oxidation")]
    assert "phases/Nb2O5 is not finished" in missing["e_above_hull"]
    no_mg = [j for j in jobs if j["name"] != "phases/Mg"]
    records = records_from(manifest(no_mg), done, [], "kim2026")
    assert {r.candidate for r in records if r.property == "e_above_hull"} == {"LiNbO3"}
    assert "reference for Mg" in next(m.reason for m in records.missing if m.property == "e_above_hull")


def test_a_potentials_energy_never_enters_a_dft_hull():
    jobs, done = stability_case()
    done["phases/Nb2O5"] = [calculation("Nb2O5", -62.5, simulated_by="chgnet")]
    found, missing = made(jobs, done)
    assert ("e_above_hull", None) not in found
    assert "not made by the same program" in missing["e_above_hull"]


def test_the_host_competes_even_where_it_was_not_written_as_a_phase():
    jobs, done = stability_case()
    jobs = [j for j in jobs if j["name"] != "phases/LiNbO3"]
    found = {(r.candidate, r.property): r for r in records_from(manifest(jobs), done, [], "kim2026")}
    assert found[DOPED, "e_above_hull"].value == pytest.approx(0.01, abs=1e-9)
    # the host that is its own best phase has no driving force but that of oxidation
    assert found["LiNbO3", "e_above_hull"].value == 0.0
    del done["LiNbO3/bulk"]
    _, missing = made(jobs, done)
    assert "LiNbO3/bulk is not finished" in missing["e_above_hull"]


def test_delithiation_voltage_against_li_of_the_same_settings():
    jobs, done = stability_case()
    jobs.append(job(f"{DOPED}/delithiated", DOPED, "vacancy", "Li9MgNb12O36"))
    done[f"{DOPED}/delithiated"] = [calculation("Li9MgNb12O36", doped_energy(0.59) + 2.0 + 4.1)]
    voltage = made(jobs, done)[0]["delithiation_voltage", None]
    assert voltage.value == pytest.approx(4.1, abs=1e-9)
    _, missing = made([j for j in jobs if j["name"] != "phases/Li"], done)
    assert "Li metal" in missing["delithiation_voltage"]
    done[f"{DOPED}/delithiated"] = [calculation("Li9MgNb12O35", -470.0)]
    assert "without some of its Li" in made(jobs, done)[1]["delithiation_voltage"]


# --- all -------------------------------------------------------------------------------------------------------------


def test_the_order_of_jobs_calculations_and_records_does_not_matter():
    stability, done = stability_case()
    adhesion, more = slabs((-100.0, -60.0, -35.0))
    hops, third = hop_jobs()
    jobs, finished, own = [*stability, *adhesion, *hops], {**done, **more, **third}, potential_barrier()

    def content(jobs, finished, records):
        found = records_from(manifest(jobs), finished, records, "kim2026")
        values = {(r.candidate, r.property, r.details.get("y")): (r.value, r.recipe_hash, r.flags) for r in found}
        return values, {str(m) for m in found.missing}

    expected = content(jobs, finished, own)
    assert len(expected[0]) > 15
    for jobs_order, done_order in itertools.product((jobs, jobs[::-1]), (list(finished), list(finished)[::-1])):
        values, missing = content(jobs_order, {n: finished[n] for n in done_order}, own[::-1])
        assert missing == expected[1]
        assert values.keys() == expected[0].keys()
        for key, (value, recipe, flags) in values.items():
            assert (recipe, flags) == expected[0][key][1:]
            assert value == pytest.approx(expected[0][key][0], abs=1e-12)


def test_another_energy_is_another_recipe():
    hashes = {made(*slabs((e, -60.0, -35.0)))[0]["work_of_adhesion", 1.0].recipe_hash for e in (-100.0, -100.0, -99.0)}
    assert len(hashes) == 2
