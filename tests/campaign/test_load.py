import pytest

from screening.campaign.load import SUMMARY, find_run, load_run, read_summary, run_status
from screening.campaign.summary import write_summary
from screening.config import Settings
from screening.engine.running.runlock import is_held, run_lock
from screening.engine.running.store import RecordStore
from screening.errors import UserError


@pytest.fixture
def run(tmp_path, pristine, make_doped, make_full_set):
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    candidates = [pristine, make_doped("Mg")]
    store = RecordStore(folder / "store.db")
    records = []
    for candidate, adhesion in zip(candidates, ((1.0, 0.9), (1.3, 1.1)), strict=True):
        records += make_full_set(candidate, adhesion, 0.9, 0.05, 0.01)
    for record in records:
        store.put_record(record)
    settings = Settings(adhesion={"soc": [1.0, 1 / 3]}, seed=7)
    skipped = [{"label": "Zr", "x": 0.25, "reason": "no Li left"}]
    write_summary(folder / "summary.yaml", status="finished", settings=settings, candidates=candidates, skipped=skipped)
    return folder, settings, candidates, records, skipped


def test_a_run_is_read_back_as_it_was_written(run):
    folder, settings, candidates, records, skipped = run
    stored = load_run(folder)
    assert stored.settings == settings
    assert stored.candidates == candidates
    assert stored.skipped == skipped
    assert sorted(stored.records, key=repr) == sorted(records, key=repr)


def test_runs_are_found_by_path_and_by_name(run):
    folder = run[0]
    assert find_run(folder, folder.parent) == folder
    assert find_run(type(folder)("first"), folder.parent) == folder
    with pytest.raises(UserError, match="there are first"):
        find_run(type(folder)("second"), folder.parent)


@pytest.mark.parametrize(
    ("text", "word"), [("a: [", "cannot be read"), ("- 1", "not the summary"), ("status: running", "settings")]
)
def test_a_damaged_summary_is_one_sentence(run, text, word):
    folder = run[0]
    (folder / "summary.yaml").write_text(text)
    with pytest.raises(UserError, match=word) as error:
        load_run(folder)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        read_summary(tmp_path)


def test_a_run_without_a_store_is_refused_and_none_is_made(run):
    folder = run[0]
    (folder / "store.db").unlink()
    with pytest.raises(UserError, match="no record store"):
        load_run(folder)
    assert not (folder / "store.db").exists()


def test_a_run_that_was_killed_is_not_called_running(tmp_path):
    write_summary(tmp_path / SUMMARY, status="running")
    (tmp_path / ".lock").write_text("4711")
    assert run_status(tmp_path, read_summary(tmp_path)) == "interrupted"
    with run_lock(tmp_path):
        assert run_status(tmp_path, read_summary(tmp_path)) == "running"
    assert not is_held(tmp_path)
    assert run_status(tmp_path, {"status": "stopped"}) == "stopped"
    assert run_status(tmp_path, {}) == "status unknown"
