"""Plans of a real run: what is sent to DFT is what the potential's values came from."""

import shutil

import numpy as np
import pytest
from ase import Atoms
from tiny_run import MG, screen

from screening.campaign.validate import choose, plan_validation, potential_records
from screening.engine.running.parts import BY_POSITION
from screening.engine.running.records import Record
from screening.engine.running.store import RecordStore
from screening.engine.tasks import Result
from screening.errors import UserError
from screening.structures.crystals.phases import load_phases
from screening.validation.jobs import read_manifest
from screening.validation.plan.hops import hop_jobs
from screening.validation.plan.interface import interface_jobs
from screening.validation.plan.plan import roles_of
from screening.validation.plan.screened import ScreenedRun
from screening.validation.programs import load_validation_settings

HOST = "LiNbO3"

KIM = load_validation_settings("kim2026")


@pytest.fixture
def plan(tiny_run):
    return plan_validation(tiny_run, KIM, choose(tiny_run, names=[MG]))


def by_name(plan):
    found = {job.name: job for job in plan.jobs}
    assert len(found) == len(plan.jobs)
    return found


def records_of(run, candidate, prop):
    return [r for r in potential_records(run) if (r.candidate, r.property) == (candidate, prop)]


@pytest.mark.slow
def test_pristine_and_doped_get_the_same_set_of_jobs(plan):
    jobs = by_name(plan)
    assert plan.missing == []
    common = {"bulk", "delithiated", "coating"} | {
        f"{role}-y{y}" for role in ("interface", "substrate") for y in ("1", "0.333")
    }
    for candidate in (HOST, MG):
        own = {name.removeprefix(f"{candidate}/") for name in jobs if name.startswith(f"{candidate}/")}
        hops = {name for name in own if name.startswith("hop-")}
        assert own - hops == common
        # the pristine vacancy was made: neutral and -1; Mg brings its own
        kinds = {name.split("/")[1] for name in hops}
        suffixes = ("-q0", "-q-1") if candidate == HOST else ("",)
        assert kinds == {f"{kind}{suffix}" for kind in ("a", "b", "band") for suffix in suffixes}


@pytest.mark.slow
def test_adhesion_of_the_jobs_is_that_of_the_record(plan, tiny_run):
    """E(interface) - E(substrate) - E(coating) of the jobs gives the record's value for the order that was taken."""
    jobs = by_name(plan)
    for candidate in (HOST, MG):
        for record in records_of(tiny_run, candidate, "adhesion_energy"):
            label = format(round(record.details["y"], 3), "g")
            interface, substrate = (jobs[f"{candidate}/{role}-y{label}"] for role in ("interface", "substrate"))
            coating = jobs[f"{candidate}/coating"]
            orders = record.details["orders"]
            (state,) = [o for o in orders if o["order"] == interface.details.order]
            assert state["substrate_reference_eV"] == min(o["substrate_reference_eV"] for o in orders)
            energy = interface.mlip_energy - substrate.mlip_energy - coating.mlip_energy
            all_orders = [
                o["interface_eV"] - o["substrate_reference_eV"] - min(record.details["coating_starts_eV"].values())
                for o in orders
            ]
            assert np.mean(all_orders) == pytest.approx(record.value, abs=1e-9)
            assert energy == pytest.approx(all_orders[orders.index(state)], abs=1e-9)
            assert interface.details.y_realised == state["y_realised"]


@pytest.mark.slow
def test_slabs_share_the_cell_and_make_up_the_interface(plan):
    jobs = by_name(plan)
    for candidate in (HOST, MG):
        coating = jobs[f"{candidate}/coating"]
        for y in ("1", "0.333"):
            interface, substrate = jobs[f"{candidate}/interface-y{y}"], jobs[f"{candidate}/substrate-y{y}"]
            for job in (interface, substrate, coating):
                a, b = job.atoms.cell.array[:2]
                assert np.linalg.norm(np.cross(a, b)) == pytest.approx(job.details.area)
                np.testing.assert_allclose(job.atoms.cell.array[:2], interface.atoms.cell.array[:2])
                assert job.slab
                assert job.relax == "atoms"
                assert job.kpoints == interface.kpoints
                assert job.kpoints[2] == 1
            whole = substrate.atoms.symbols.formula.count()
            for element, n in coating.atoms.symbols.formula.count().items():
                whole[element] = whole.get(element, 0) + n
            assert whole == interface.atoms.symbols.formula.count()
            n_fixed = {job.role: sum(len(c.index) for c in job.atoms.constraints) for job in (interface, substrate)}
            assert n_fixed["interface"] == n_fixed["substrate"] > 0
        assert not coating.atoms.constraints
    assert jobs[f"{MG}/substrate-y1"].details.order == jobs[f"{HOST}/substrate-y1"].details.order


@pytest.mark.slow
def test_bands_are_the_potentials_paths(plan, tiny_run):
    jobs = by_name(plan)
    for candidate, suffix in ((HOST, "-q0"), (MG, "")):
        (record,) = records_of(tiny_run, candidate, "migration_barrier")
        bands = [j for j in jobs.values() if j.role == "band" and j.candidate == candidate and j.charge == 0]
        assert bands
        for band in bands:
            hop = record.details["hops"][int(band.name.split("/")[1].removeprefix("hop-"))]
            assert [hop["from"], hop["to"]] == band.details.hop
            folder = band.name.rsplit("/", 1)[0]
            a, b = jobs[f"{folder}/a{suffix}"], jobs[f"{folder}/b{suffix}"]
            assert band.after == (a.name, b.name)
            assert band.mlip_energy - a.mlip_energy == pytest.approx(hop["forward"], abs=1e-4)
            assert band.mlip_energy - b.mlip_energy == pytest.approx(hop["backward"], abs=1e-4)
            assert 0 < band.details.saddle < len(band.images) - 1
            np.testing.assert_array_equal(band.images[0].positions, a.atoms.positions)
            np.testing.assert_array_equal(band.images[-1].positions, b.atoms.positions)
            # an atom hops about 4 A in the whole path and no image jumps
            steps = [
                np.abs(q.positions - p.positions).max() for p, q in zip(band.images, band.images[1:], strict=False)
            ]
            assert max(steps) < 2.5


@pytest.mark.slow
def test_equivalent_hops_are_computed_once_and_charges_differ_by_one_electron(plan):
    jobs = by_name(plan)
    host = [j for j in jobs.values() if j.role == "band" and j.candidate == HOST]
    assert [j.charge for j in host] == [0, -1]
    assert {j.name.split("/")[1] for j in host} == {host[0].name.split("/")[1]}
    assert host[0].details.chosen_as == ["critical", "lowest"]
    assert host[1].mlip_energy is None  # a potential knows no charge


@pytest.mark.slow
def test_all_competing_phases_once(plan):
    names = {job.details.phase for job in plan.jobs if job.role == "phase"}
    assert names == {facts.name for facts in load_phases({"Li", "Nb", "O", "Mg"})}
    for job in plan.jobs:
        if job.role == "phase":
            assert job.candidate is None
            assert job.name == f"phases/{job.details.phase}"
            assert Atoms(job.details.formula).symbols.formula.reduce()[0] == job.atoms.symbols.formula.reduce()[0]
    oxygen = by_name(plan)["phases/O2"]
    assert (oxygen.kpoints, oxygen.relax, oxygen.mlip_energy) == ((1, 1, 1), "atoms", None)


@pytest.mark.slow
def test_shipped_energy_of_a_phase_is_the_potentials(plan):
    """CHGNet's own energy of LiNbO3 per formula unit, from the shipped file and from the relaxed bulk of the run."""
    jobs = by_name(plan)
    phase, bulk = jobs["phases/LiNbO3"], jobs[f"{HOST}/bulk"]
    per_fu = phase.mlip_energy / (len(phase.atoms) / 5), bulk.mlip_energy / bulk.details.n_fu
    assert per_fu[0] == pytest.approx(per_fu[1], abs=0.02)


@pytest.mark.slow
def test_single_points_wait_for_nothing(tiny_run):
    plan = plan_validation(tiny_run, KIM, choose(tiny_run, names=[MG]), static=True, only=roles_of("bulk,hops,vacancy"))
    assert {job.role for job in plan.jobs} == {"bulk", "end", "band", "vacancy"}
    assert {job.relax for job in plan.jobs} == {"none"}
    assert not any(job.after for job in plan.jobs)


@pytest.mark.slow
def test_vacancy_without_its_bulk_waits_for_nothing(tiny_run):
    plan = plan_validation(tiny_run, KIM, choose(tiny_run, names=[MG]), only=roles_of("vacancy"))
    assert [job.after for job in plan.jobs] == [(), ()]


@pytest.mark.slow
def test_the_command_writes_everything_and_again_touches_nothing_that_was_started(tiny_run_folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run_folder, run)
    done = screen(["validate", "run", "--candidates", MG], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "screen ingest" in done.stdout
    folder = run / "validation" / "kim2026"
    manifest = read_manifest(folder)
    assert manifest.run == run.resolve()
    assert manifest.mlip_fidelity == "mlip:chgnet"
    for job in manifest.jobs:
        assert (folder / job["name"] / "INCAR").is_file(), job["name"]
        assert job["electrons"] > 0
        assert job["core_hours"] > 0
    same = {job["name"]: job["same_as"] for job in manifest.jobs if "same_as" in job}
    assert same == {f"{MG}/substrate-y{y}": f"{HOST}/substrate-y{y}" for y in ("1", "0.333")}
    charged = [job for job in manifest.jobs if job["charge"] == -1]
    assert {job["electrons"] for job in charged} == {11 * 3 + 12 * 11 + 36 * 6 + 1}
    (folder / HOST / "bulk" / "OUTCAR").write_text("running")
    (folder / MG / "bulk" / "INCAR").write_text("ENCUT = 600\n")
    done = screen(["validate", "run", "--candidates", MG, "--only", "bulk", "--static"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 jobs were started or edited" in done.stdout
    assert (folder / HOST / "bulk" / "OUTCAR").read_text() == "running"
    assert (folder / MG / "bulk" / "INCAR").read_text() == "ENCUT = 600\n"
    again = read_manifest(folder)
    assert again.names == manifest.names
    assert {job["name"]: job["relax"] for job in again.jobs}[f"{MG}/bulk"] == "cell"


@pytest.mark.slow
def test_folder_of_other_settings_or_another_run_is_refused(tiny_run_folder, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(tiny_run_folder, tmp_path / name)
    arguments = ["--candidates", MG, "--only", "bulk", "--out", "jobs"]
    assert screen(["validate", "one", *arguments], tmp_path).returncode == 0
    other = screen(["validate", "two", *arguments], tmp_path)
    assert other.returncode == 2
    assert "--out" in other.stderr
    other = screen(["validate", "one", *arguments, "--settings", "mp"], tmp_path)
    assert other.returncode == 2
    assert "kim2026" in other.stderr


@pytest.mark.slow
def test_incomplete_store_is_named(tiny_run_folder, tmp_path):
    store = RecordStore(tiny_run_folder / "store.db")
    records = {(r.candidate, r.property, ""): r for r in store.records()}

    class Empty:
        def get(self, key: str) -> Result | None:
            return None

    incomplete = ScreenedRun(candidates=[HOST], records=records, store=Empty(), labels={}, n_fu=12)
    with pytest.raises(UserError, match="complete"):
        hop_jobs(incomplete, HOST)


# -- choices, on records made by hand ------------------------------------------------------------------------------


class Shelf(dict):
    """Results by key."""


def result(key, n_images=0):
    images = [Atoms("LiO", [(0, 0, 0.1 * i), (2, 2, 2)], cell=[5, 5, 20], pbc=True) for i in range(n_images)]
    atoms = images[0] if images else Atoms("LiO", [(0, 0, 0), (2, 2, 2)], cell=[5, 5, 20], pbc=True)
    energies = [0.0, *([0.5] * (n_images - 2)), 0.0] if n_images else []
    return Result(key=key, atoms=atoms, energy=-1.0, fmax=0.01, converged=True, n_steps=1, n_force_calls=1, wall_s=0.0,
                  images=images, image_energies=energies)  # fmt: skip


def record(prop, keys, details, value=1.0):
    return Record(candidate="Mg", property=prop, value=value, unit="eV", fidelity="mlip:chgnet", converged=True,
                  potential="chgnet", checkpoint_sha256="0" * 64, structure={BY_POSITION: tuple(keys)},
                  details=details)  # fmt: skip


def hop(start, end, forward, distance=3.8, dopant=4.0):
    return {"from": start, "to": end, "forward": forward, "backward": forward, "distance": distance,
            "dopant_distance": dopant, "used": True}  # fmt: skip


def hop_screen(details, value=1.0):
    hops = details["hops"]
    keys = [f"band{n}" for n, h in enumerate(hops) if h["used"]]
    shelf = Shelf({key: result(key, 3) for key in ["end", *keys]})
    shelf["end"] = result("end")
    made = record("migration_barrier", ["end", *keys], {"carrier_source": "compensating", **details}, value)
    return ScreenedRun(
        candidates=["Mg"], records={("Mg", "migration_barrier", ""): made}, store=shelf, labels={}, n_fu=12
    )


def chosen(screen_):
    return {j.name.split("/")[1]: j.details.to_details() for j in hop_jobs(screen_, "Mg").jobs if j.role == "band"}


def test_critical_and_lowest_hop_that_were_computed():
    hops = [hop("V0", "Li1", 0.9), {**hop("V0", "Li2", 0.1), "used": False}, hop("V0", "Li3", 0.4)]
    critical = {"from": "V0", "to": "Li1", "distance": 3.8, "dopant_distance": 4.0}
    found = chosen(hop_screen({"hops": hops, "critical_hop": critical}))
    assert {name: d["chosen_as"] for name, d in found.items()} == {"hop-0": ["critical"], "hop-2": ["lowest"]}
    assert not any("stands_for" in d for d in found.values())


def test_a_critical_hop_that_was_not_computed_is_stood_for_by_the_most_similar():
    hops = [hop("V0", "Li1", 0.9, distance=3.1), hop("V0", "Li2", 0.5, dopant=9.0), hop("V0", "Li3", 0.6, dopant=4.2)]
    critical = {"from": "Li7", "to": "Li9", "distance": 3.8, "dopant_distance": 4.0}
    found = chosen(hop_screen({"hops": hops, "critical_hop": critical}))
    assert found["hop-2"]["chosen_as"] == ["critical"]
    assert found["hop-2"]["stands_for"] == ["Li7", "Li9"]
    assert found["hop-1"]["chosen_as"] == ["lowest"]


def test_one_hop_that_is_both_is_written_once():
    critical = {"from": "V0", "to": "Li1", "distance": 3.8, "dopant_distance": 4.0}
    found = chosen(hop_screen({"hops": [hop("V0", "Li1", 0.4), hop("V0", "Li2", 0.9)], "critical_hop": critical}))
    assert {name: d["chosen_as"] for name, d in found.items()} == {"hop-0": ["critical", "lowest"]}


def test_the_vacancy_order_is_that_of_the_lowest_substrate():
    orders = [{"order": n, "y_realised": 0.3, "substrate_reference_eV": e} for n, e in enumerate([-5.0, -7.0, -6.0])]
    keys = ["i0", "i1", "i2", "s0", "s1", "s2", "c"]
    shelf = Shelf({key: result(key) for key in keys})
    for n, key in enumerate(keys):
        shelf[key].energy = float(n)
    made = record("work_of_adhesion", keys, {"orders": orders, "area": 25.0, "y": 1 / 3})
    found = ScreenedRun(
        candidates=["Mg"],
        records={("Mg", "work_of_adhesion", "y0.333"): made},
        store=shelf,
        labels={1.0: "1", 1 / 3: "0.333"},
        n_fu=12,
    )
    plan = interface_jobs(found, "Mg")
    assert {job.role: job.mlip_energy for job in plan.jobs} == {"interface": 1.0, "substrate": 4.0, "coating": 6.0}
    assert {job.details.order for job in plan.jobs} == {1, None}
    assert plan.missing == ["Mg: no adhesion at y = 1 in the run"]


@pytest.mark.parametrize("text", ["bulk,slabs", "", ","])
def test_unknown_kinds_of_job(text):
    with pytest.raises(UserError, match="--only"):
        roles_of(text)
