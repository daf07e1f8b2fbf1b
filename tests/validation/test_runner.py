"""The run loop with a real engine (EMT) on real jobs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from emt_engine import EmtEngine

from screening.errors import UserError
from screening.validation.folders.folders import state_of, write_job
from screening.validation.jobs import Job
from screening.validation.protocols import CommandDied, EngineUnusable
from screening.validation.runner import ordered, run_jobs, write_jobs


def crystal(symbol="Cu", seed=0, amplitude=0.05):
    atoms = bulk(symbol, cubic=True).repeat((2, 1, 1))
    atoms.rattle(amplitude, seed=seed)
    return atoms


def job(name, atoms=None, **fields):
    fields = {"candidate": "c", "role": "bulk", "relax": "atoms", **fields}
    return Job(name=name, atoms=crystal() if atoms is None else atoms, **fields)


def vacancy_hop():
    """An unrelaxed path of a Cu atom into a neighbouring vacancy."""
    cell = bulk("Cu", cubic=True).repeat((2, 2, 2))
    target = cell.positions[0].copy()
    near = int(np.argsort(cell.get_distances(0, range(len(cell)), mic=True))[1])
    start = cell.positions[near].copy()
    step = cell.get_distance(near, 0, mic=True, vector=True)
    del cell[0]
    images = []
    for share in (0.0, 0.5, 1.0):
        image = cell.copy()
        image.positions[near - 1] = start + share * step
        images.append(image)
    assert np.allclose((start + step - target) / 7.22 - np.rint((start + step - target) / 7.22), 0, atol=1e-2)
    return tuple(images)


def hop_jobs():
    images = vacancy_hop()
    ends = [job(f"c/hop-0/{side}", images[i], role="end") for side, i in (("a", 0), ("b", -1))]
    band = job("c/hop-0/band", images[0], role="band", images=images, after=("c/hop-0/a", "c/hop-0/b"))
    return [band, *ends]


def write_all(jobs, root, engine):
    return write_jobs(jobs, root, engine.write, lambda: engine)


def test_jobs_come_after_what_they_start_from():
    names = [j.name for j in ordered(hop_jobs())]
    assert names == ["c/hop-0/a", "c/hop-0/b", "c/hop-0/band"]
    waiting = [replace(job("a"), after=("b",)), replace(job("b"), after=("a",))]
    with pytest.raises(UserError, match="wait for each other"):
        ordered(waiting)


def test_failures_do_not_stop_the_others(tmp_path):
    engine = EmtEngine()
    jobs = [job("c/pt", crystal("Pt")), job("c/fe", bulk("Fe", cubic=True)), job("c/cu"),
            job("c/large", crystal().repeat((2, 2, 2))), job("c/late", after=("c/pt",))]  # fmt: skip
    write_all(jobs, tmp_path, engine)
    events: list[Any] = []
    outcomes = {o.name: o for o in run_jobs(jobs, engine, tmp_path, max_atoms=20, on_event=events.append)}
    assert {name: o.status for name, o in outcomes.items()} == {
        "c/pt": "failed", "c/fe": "failed", "c/cu": "done", "c/large": "skipped", "c/late": "skipped",
    }  # fmt: skip
    assert outcomes["c/pt"].reason == "Pt does not converge"
    assert "NotImplementedError" in outcomes["c/fe"].reason  # EMT knows no Fe
    assert "64 atoms" in outcomes["c/large"].reason
    assert "c/pt" in outcomes["c/late"].reason
    assert [e.number for e in events if e.outcome is None] == [1, 2, 3, 4, 5]
    assert (tmp_path / "c/pt/started.txt").exists()


def test_running_again_computes_only_what_is_missing(tmp_path):
    engine = EmtEngine()
    jobs = [job("c/cu"), job("c/pt", crystal("Pt"))]
    write_all(jobs, tmp_path, engine)
    run_jobs(jobs, engine, tmp_path)
    before = (tmp_path / "c/cu/result.extxyz").read_bytes()
    allowing = EmtEngine(refused="")
    states = write_all(jobs, tmp_path, allowing)
    assert states == {"c/cu": "started", "c/pt": "started"}
    outcomes = run_jobs(jobs, allowing, tmp_path)
    assert [o.status for o in outcomes] == ["done", "done"]
    assert allowing.computed == ["c/pt"]
    assert (tmp_path / "c/cu/result.extxyz").read_bytes() == before


def test_identical_jobs_are_computed_once(tmp_path):
    engine = EmtEngine()
    jobs = [job("a/substrate"), job("b/substrate"), job("b/other", crystal(seed=1))]
    write_all(jobs, tmp_path, engine)
    outcomes = run_jobs(jobs, engine, tmp_path)
    assert [o.status for o in outcomes] == ["done"] * 3
    assert engine.computed == ["a/substrate", "b/other"]
    assert "a/substrate" in outcomes[1].reason
    energies = [engine.read(tmp_path / j.name)[0].energy for j in jobs]
    assert energies[0] == energies[1]


def test_a_band_starts_between_its_relaxed_end_points(tmp_path):
    engine = EmtEngine()
    jobs = hop_jobs()
    write_all(jobs, tmp_path, engine)
    outcomes = run_jobs(jobs, engine, tmp_path)
    assert [o.status for o in outcomes] == ["done"] * 3
    ends = [engine.read(tmp_path / f"c/hop-0/{side}")[0].atoms for side in "ab"]
    band = engine.read(tmp_path / "c/hop-0/band")
    for end, image in ((ends[0], band[0]), (ends[1], band[-1])):
        np.testing.assert_allclose(image.atoms.positions, end.positions, atol=1e-6)
        # the relaxed end points lie below the ones that the path came with
        assert image.energy < energy_of(jobs[0].images[0]) - 0.003
    path = jobs[0].images
    middle = np.mean([ends[0].positions - path[0].positions, ends[1].positions - path[-1].positions], axis=0)
    np.testing.assert_allclose(band[1].atoms.positions, jobs[0].images[1].positions + middle, atol=1e-6)


def test_writing_again_takes_finished_end_points(tmp_path):
    """The way of somebody who runs the jobs elsewhere: write, compute the end points, write again."""
    engine = EmtEngine()
    band, *ends = hop_jobs()
    write_all([band, *ends], tmp_path, engine)
    first = (tmp_path / "c/hop-0/band/start.extxyz").read_bytes()
    for end in ends:
        engine.run(tmp_path / end.name)
    write_all([band, *ends], tmp_path, engine)
    assert (tmp_path / "c/hop-0/band/start.extxyz").read_bytes() != first
    assert state_of(tmp_path / "c/hop-0/band") == "written"


def test_a_vacancy_takes_the_relaxed_cell(tmp_path):
    engine = EmtEngine()
    perfect = bulk("Cu", cubic=True).repeat((2, 2, 2))
    vacancy = perfect.copy()
    del vacancy[0]
    jobs = [job("c/bulk", perfect), job("c/delithiated", vacancy, role="vacancy", after=("c/bulk",))]
    write_all(jobs, tmp_path, engine)
    grown = perfect.copy()
    grown.set_cell(perfect.cell.array * 1.01, scale_atoms=True)
    engine.write(replace(jobs[0], atoms=grown), tmp_path / "c/bulk")
    engine.run(tmp_path / "c/bulk")
    run_jobs(jobs, engine, tmp_path)
    result = engine.read(tmp_path / "c/delithiated")[0].atoms
    np.testing.assert_allclose(result.cell.array, grown.cell.array)


def test_folders_are_replaced_only_while_nobody_touched_them(tmp_path):
    engine = EmtEngine()
    made = job("c/cu")
    assert write_job(made, tmp_path, engine.write) == "absent"
    assert write_job(replace(made, atoms=crystal(seed=3)), tmp_path, engine.write) == "written"
    assert state_of(tmp_path / "c/cu") == "written"
    (tmp_path / "c/cu/calculation.json").write_text("{}")
    assert write_job(made, tmp_path, engine.write) == "edited"
    assert (tmp_path / "c/cu/calculation.json").read_text() == "{}"
    foreign = tmp_path / "c/foreign"
    foreign.mkdir()
    (foreign / "OUTCAR").write_text("precious")
    assert write_job(job("c/foreign"), tmp_path, engine.write) == "started"
    assert [p.name for p in foreign.iterdir()] == ["OUTCAR"]


def test_a_kill_while_writing_leaves_no_half_folder(tmp_path):
    engine = EmtEngine()

    def killed(made, folder):
        (folder / "start.extxyz").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_job(job("c/cu"), tmp_path, killed)
    assert state_of(tmp_path / "c/cu") == "absent"
    write_job(job("c/cu"), tmp_path, engine.write)
    assert state_of(tmp_path / "c/cu") == "written"
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["cu"]


def energy_of(atoms: Atoms) -> float:
    copy = atoms.copy()
    copy.calc = EMT()
    return copy.get_potential_energy()


class Failing(EmtEngine):
    """Raises a given error instead of computing."""

    def __init__(self, *errors):
        super().__init__()
        self.errors = list(errors)

    def run(self, folder):
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        super().run(folder)


def five_jobs():
    return [job(f"c/{number}", crystal(seed=number)) for number in range(5)]


def test_engine_that_is_not_there_stops_at_the_first_job(tmp_path):
    engine = Failing(EngineUnusable("the VASP command 'x' does not exist."))
    events: list[Any] = []
    write_all(five_jobs(), tmp_path, engine)
    with pytest.raises(UserError, match="does not exist"):
        run_jobs(five_jobs(), engine, tmp_path, on_event=events.append)
    assert [event.number for event in events] == [1]


def test_command_that_dies_at_once_in_job_after_job_is_not_started_for_all(tmp_path):
    died = CommandDied("it ended with exit code 3; its last words: the licence is gone")
    engine = Failing(died, died, died, died)
    events: list[Any] = []
    write_all(five_jobs(), tmp_path, engine)
    with pytest.raises(UserError, match=r"3 jobs in a row.*the licence is gone"):
        run_jobs(five_jobs(), engine, tmp_path, on_event=events.append)
    assert [e.outcome.status for e in events if e.outcome is not None] == ["failed"] * 3
    now_and_then = Failing(died, died, None, died, died)
    assert [o.status for o in run_jobs(five_jobs(), now_and_then, tmp_path)] == [
        "failed", "failed", "done", "failed", "failed",
    ]  # fmt: skip


def test_what_one_job_lacks_is_its_reason_without_a_traceback(tmp_path, caplog):
    engine = Failing(UserError("the settings name no POTCAR for Cf."), ZeroDivisionError("a bug"))
    write_all(five_jobs(), tmp_path, engine)
    outcomes = run_jobs(five_jobs(), engine, tmp_path)
    assert [o.status for o in outcomes] == ["failed", "failed", "done", "done", "done"]
    assert outcomes[0].reason == "the settings name no POTCAR for Cf."
    assert outcomes[1].reason == "ZeroDivisionError: a bug"
    assert "Traceback" not in caplog.text
