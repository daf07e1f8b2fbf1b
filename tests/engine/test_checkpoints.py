import numpy as np
import pytest

from screening.engine.checkpoints import Checkpoint


def test_round_trip_is_exact_and_delete_removes(tmp_path):
    checkpoint = Checkpoint(tmp_path / "deep" / "a.npz")
    arrays = {"positions": np.random.default_rng(0).normal(size=(5, 3)), "mask": np.array([True, False])}
    meta = {"step": 7, "dt": 1 / 3, "names": ["a", "b"], "nothing": None}
    checkpoint.save(arrays, meta)
    loaded = checkpoint.load()
    assert loaded is not None
    for name, value in arrays.items():
        assert np.array_equal(loaded[0][name], value)
        assert loaded[0][name].dtype == value.dtype
    assert loaded[1] == meta
    checkpoint.save({"positions": np.zeros(2)}, {"step": 8})
    assert [p.name for p in checkpoint.path.parent.iterdir()] == ["a.npz"]
    checkpoint.delete()
    checkpoint.delete()
    assert checkpoint.load() is None


@pytest.mark.parametrize("damage", ["empty", "half", "noise"])
def test_damaged_file_is_ignored_and_logged(tmp_path, caplog, damage):
    checkpoint = Checkpoint(tmp_path / "a.npz")
    checkpoint.save({"x": np.arange(1000.0)}, {"step": 1})
    content = checkpoint.path.read_bytes()
    damaged = {"empty": b"", "half": content[: len(content) // 2], "noise": b"not a zip file at all"}[damage]
    checkpoint.path.write_bytes(damaged)
    assert checkpoint.load() is None
    assert "damaged checkpoint" in caplog.text


def test_interrupted_save_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "a.npz")
    checkpoint.save({"x": np.arange(3)}, {"step": 1})

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"x": np.arange(4)}, {"step": 2})
    monkeypatch.undo()
    loaded = checkpoint.load()
    assert loaded is not None
    assert loaded[1] == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_object_arrays_are_refused(tmp_path):
    with pytest.raises(ValueError, match="numeric arrays"):
        Checkpoint(tmp_path / "a.npz").save({"x": np.array([{}])}, {})
