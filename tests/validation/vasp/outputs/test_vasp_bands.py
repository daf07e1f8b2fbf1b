"""Folders 00, 01, ... are a band where IMAGES says so, and independent runs where it does not."""

import json

import pytest
from hand_written import Run, Step, write

from screening.errors import UserError
from screening.training_data.calculation import CalculationUnreadable
from screening.training_data.library import DataLibrary
from screening.training_data.training_set import usable_frames
from screening.validation.ingest.find import find_calculations
from screening.validation.ingest.ingest import IngestRules, ingest
from screening.validation.vasp.outputs.read_vasp import read_vasp


def runs(folder, names, **incar):
    """Single points of different structures."""
    for number, name in enumerate(names):
        write(folder / name, Run(steps=[Step(-12.0 - 0.1 * number, 0.1, x=0.5 - 0.02 * number)], incar=incar))
    return folder


def outcome(folder):
    found: dict[str, int | str] = {}
    for item in find_calculations(folder):
        try:
            found[str(item.path.relative_to(folder))] = len(item.read())
        except CalculationUnreadable as error:
            found[str(item.path.relative_to(folder))] = str(error)
    return found


FIVE = [f"{i:02d}" for i in range(5)]


def test_independent_runs_stay_so(tmp_path):
    runs(tmp_path / "volumes", FIVE)
    (tmp_path / "volumes" / "INCAR").write_text("ENCUT = 500\n# IMAGES = 3\n")
    assert outcome(tmp_path / "volumes") == dict.fromkeys(FIVE, 1)
    report = ingest([tmp_path / "volumes"], tmp_path / "data", IngestRules(accept_method=True))
    assert len(report.outcome.added) == 5
    assert len(DataLibrary(tmp_path / "data").frames()) == 5  # each with its forces


@pytest.mark.parametrize("names", [FIVE[:3], ["01", "02", "03"], ["00", "02", "05"], ["10", "11"]])
def test_other_numbers_without_images_are_runs_of_their_own(tmp_path, names):
    assert outcome(runs(tmp_path, names)) == dict.fromkeys(names, 1)


@pytest.mark.parametrize("where", ["incar", "outputs", "job"])
def test_a_band_is_one(tmp_path, where):
    runs(tmp_path, FIVE, **({"IMAGES": 3} if where == "outputs" else {}))
    if where == "incar":
        (tmp_path / "INCAR").write_text("SPRING = -5; IMAGES = 3 ! five folders\n")
    if where == "job":
        (tmp_path / "job.json").write_text(json.dumps({"role": "band"}))
    assert outcome(tmp_path) == {".": 5}
    assert all(image.final.forces is None for image in read_vasp(tmp_path))


@pytest.mark.parametrize("after", ["ends/a", "../other/a", "absolute", "link"])
def test_end_points_are_looked_for_in_what_was_sent_only(tmp_path, after):
    """A received job.json may name any path; only one below the folder of the validation is followed."""
    sent = tmp_path / "sent"
    runs(sent / "band", FIVE[1:4])
    for place in (sent / "ends", tmp_path / "other"):
        runs(place, ["a", "b"])
    (sent / "link").symlink_to(tmp_path / "other" / "a")
    first = str(tmp_path / "other" / "a") if after == "absolute" else after
    job = {"name": "band", "role": "band", "after": [first, "ends/b"]}
    (sent / "band" / "job.json").write_text(json.dumps(job))
    for name in ("00", "04"):
        (sent / "band" / name).mkdir()
    if after == "ends/a":
        assert len(read_vasp(sent / "band")) == 5
    else:
        with pytest.raises(CalculationUnreadable, match=r"image 00: .*put the OUTCAR of its own job there"):
            read_vasp(sent / "band")


@pytest.mark.parametrize("names", [FIVE[:4], ["01", "02", "03", "04", "05"], [*FIVE, "05"]])
def test_images_that_do_not_agree_with_the_folders_are_refused(tmp_path, names):
    runs(tmp_path, names)
    (tmp_path / "INCAR").write_text("IMAGES = 3\n")
    expected = f"IMAGES = 3 asks for the folders 00 to 04, but there are {', '.join(names)}"
    assert outcome(tmp_path)["."].startswith(expected)
    with pytest.raises(CalculationUnreadable, match="IMAGES = 3 asks for"):
        read_vasp(tmp_path)


def test_one_image_alone_keeps_no_forces(tmp_path):
    runs(tmp_path, ["image"], IMAGES=3)
    assert read_vasp(tmp_path / "image")[0].final.forces is None


def test_data_without_forces_say_so_when_they_are_to_be_learnt(tmp_path):
    runs(tmp_path / "band", FIVE, IMAGES=3)
    report = ingest([tmp_path / "band"], tmp_path / "data", IngestRules(accept_method=True))
    assert (len(report.outcome.added), report.outcome.n_frames) == (5, 0)
    with pytest.raises(UserError, match="no neutral frame with energy and forces; nothing can be learnt"):
        usable_frames([tmp_path / "data"])
