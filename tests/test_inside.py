import pytest

from screening.inside import is_below, lies_in


@pytest.mark.parametrize("name", ["a", "a/b", "./a", "a..b/c", "a/./b"])
def test_paths_below(tmp_path, name):
    assert is_below(name)
    assert lies_in(tmp_path, name)


@pytest.mark.parametrize("name", ["", ".", "/etc/passwd", "..", "../a", "a/../../b", "a/..", "a\0b"])
def test_paths_that_are_not(tmp_path, name):
    assert not is_below(name)
    assert not lies_in(tmp_path, name)


def test_links_count_as_where_they_lead(tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to(folder / "sub")
    (folder / "circle").symlink_to(folder / "circle")
    assert is_below("out/file")
    assert not lies_in(folder, "out/file")
    assert lies_in(folder, "in/file")
    lies_in(folder, "circle/file")  # whatever the answer, it is one
