import shutil

import pytest
import yaml
from ase.build import bulk
from input_toys import job, slab, vacancy_path

from screening.errors import UserError
from screening.structures.crystals.crystals import load_crystal
from screening.structures.crystals.phases import load_phases, phase_structures
from screening.structures.elements import by_element
from screening.validation.folders.cost import core_hours, rounded
from screening.validation.folders.manifest import find_twins, write_manifest
from screening.validation.job_details import BulkJobDetails
from screening.validation.jobs import read_manifest
from screening.validation.programs import load_validation_settings

KIM = load_validation_settings("kim2026")


def jobs():
    images = vacancy_path(3)
    charged = {"relax": "atoms", "charge": -1}
    a, b = (job(images[i], name=f"Mg/hop-0/{side}", role="end", **charged) for side, i in (("a", 0), ("b", -1)))
    return [
        job(
            load_crystal("LiNbO3"),
            relax="cell",
            kpoints=(2, 2, 1),
            details=BulkJobDetails(n_fu=6),
            mlip_energy=-247.5,
        ),
        job(by_element(slab()), name="Mg/substrate-y1", role="substrate", relax="atoms", slab=True, kpoints=(3, 3, 1)),
        job(by_element(slab()), name="Zr/substrate-y1", role="substrate", relax="atoms", slab=True, kpoints=(3, 3, 1)),
        a,
        b,
        job(images[0], name="Mg/hop-0/band", role="band", images=images, after=(a.name, b.name), **charged),
    ]  # fmt: skip


def write(folder, made, **fields):
    run = folder.parent.parent
    return write_manifest(folder, made, run=run, settings=KIM, mlip_fidelity="mlip:chgnet", **fields)


def test_manifest_says_what_each_job_is(tmp_path):
    manifest = write(tmp_path / "run" / "validation" / "kim2026", jobs())
    rows = {row["name"]: row for row in manifest.jobs}
    assert manifest.names == [j.name for j in jobs()]
    assert rows["Mg/bulk"]["formula"] == "Li6Nb6O18"
    assert rows["Mg/bulk"]["electrons"] == 6 * (3 + 11 + 18)
    assert rows["Mg/hop-0/a"]["electrons"] == 189 + 1
    assert rows["Mg/hop-0/band"]["after"] == ["Mg/hop-0/a", "Mg/hop-0/b"]
    assert rows["Mg/hop-0/band"]["n_images"] == 5
    assert rows["Mg/hop-0/band"]["core_hours"] > rows["Mg/hop-0/a"]["core_hours"]
    assert "same_as" not in rows["Mg/substrate-y1"]
    assert rows["Zr/substrate-y1"]["same_as"] == "Mg/substrate-y1"
    text = yaml.safe_load((manifest.folder / "validation.yaml").read_text())
    assert "order of magnitude" in text["estimate"]
    own = sum(row["core_hours"] for row in manifest.jobs if "same_as" not in row)
    assert text["core_hours"] == pytest.approx(own, rel=0.06)


def test_manifest_finds_its_run_where_both_were_moved_to(tmp_path):
    write(tmp_path / "here" / "validation" / "kim2026", jobs())
    shutil.move(tmp_path / "here", tmp_path / "there")
    manifest = read_manifest(tmp_path / "there" / "validation" / "kim2026")
    assert manifest.run == (tmp_path / "there").resolve()


def test_later_calls_add_and_leave_what_was_started(tmp_path):
    folder = tmp_path / "run" / "validation" / "kim2026"
    write(folder, jobs()[:2], missing=["Zr: no adhesion"])
    static = job(load_crystal("LiNbO3"), relax="none", kpoints=(2, 2, 1))
    manifest = write(folder, [static, *jobs()[2:]], kept=["Mg/bulk"])
    assert manifest.names == [j.name for j in jobs()]
    assert manifest.jobs[0]["relax"] == "cell"
    manifest = write(folder, [static])
    assert manifest.jobs[0]["relax"] == "none"
    assert len(manifest.jobs) == len(jobs())


def test_manifest_of_another_run_or_settings_is_refused(tmp_path):
    folder = tmp_path / "run" / "validation" / "kim2026"
    write(folder, jobs())
    with pytest.raises(UserError, match="kim2026"):
        write_manifest(folder, jobs(), run=tmp_path / "run", settings=load_validation_settings("mp"), mlip_fidelity="m")
    with pytest.raises(UserError, match="validates the run"):
        write_manifest(folder, jobs(), run=tmp_path / "other", settings=KIM, mlip_fidelity="m")


def test_twins_are_equal_in_everything_that_decides_the_result():
    one = job(load_crystal("LiNbO3"), name="a", relax="atoms")
    for other in (
        job(load_crystal("LiNbO3"), name="b", relax="cell"),
        job(load_crystal("LiNbO3"), name="b", relax="atoms", charge=-1),
        job(load_crystal("LiNbO3"), name="b", relax="atoms", kpoints=(2, 2, 1)),
        job(load_crystal("LiTaO3"), name="b", relax="atoms"),
    ):
        assert find_twins([one, other]) == {}
    assert find_twins([one, job(load_crystal("LiNbO3"), name="b", relax="atoms")]) == {"b": "a"}


def test_cost_reproduces_its_reference_and_scales_as_stated():
    # GPAW 26.7, PBE, PW(400), 3x3x3 k-points: the 10-atom LiNbO3 cell in 50 s on one core
    (facts,) = (f for f in load_phases({"Li", "Nb", "O"}) if f.name == "LiNbO3")
    (atoms,) = phase_structures(facts)
    assert len(atoms) == 10
    reference = job(atoms, kpoints=(3, 3, 3))
    assert core_hours(reference, 64, 400, spin=False) * 3600 == pytest.approx(50, rel=0.02)
    assert core_hours(reference, 64, 400) == pytest.approx(2 * core_hours(reference, 64, 400, spin=False))
    assert core_hours(reference, 256, 400) == pytest.approx(8 * core_hours(reference, 64, 400))
    assert core_hours(reference, 64, 1600) == pytest.approx(8 * core_hours(reference, 64, 400))
    assert core_hours(job(atoms), 64, 400) == pytest.approx(core_hours(reference, 64, 400) / 14)
    cell = bulk("Cu", cubic=True)
    doubled = cell.repeat((1, 1, 2))
    ratio = core_hours(job(doubled), 88, 400) / core_hours(job(cell), 44, 400)
    assert ratio == pytest.approx(2**2.5)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (1234.0, 1200.0), (0.0678, 0.068), (9.96, 10.0)])
def test_two_significant_digits(value, expected):
    assert rounded(value) == pytest.approx(expected)


OUTSIDE = ["../other", "/etc", "a/../../b", ""]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("key", ["name", "after", "same_as"])
def test_a_manifest_names_no_job_outside_its_folder(tmp_path, key, name):
    """Whoever sends a validation folder does not choose which other folders are read as its results."""
    folder = tmp_path / "run" / "validation" / "kim2026"
    write(folder, jobs())
    content = yaml.safe_load((folder / "validation.yaml").read_text())
    content["jobs"][0][key] = [name] if key == "after" else name
    (folder / "validation.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match="names a job outside its folder") as error:
        read_manifest(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("rows", [3, None, "name", [3], [{"role": "bulk"}], [{"name": ["a"], "role": "bulk"}]])
def test_what_lists_no_jobs_is_no_manifest(tmp_path, rows):
    folder = tmp_path / "run" / "validation" / "kim2026"
    write(folder, jobs())
    content = yaml.safe_load((folder / "validation.yaml").read_text())
    (folder / "validation.yaml").write_text(yaml.safe_dump(content | {"jobs": rows}))
    with pytest.raises(UserError, match="is not a validation manifest"):
        read_manifest(folder)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_job_is_written_below_its_validation(name):
    with pytest.raises(UserError, match="cannot be named"):
        job(load_crystal("LiNbO3"), name=name)
