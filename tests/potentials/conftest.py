"""What the tests of received models share."""

import pytest


@pytest.fixture
def mark(tmp_path):
    """A file that exists once anything of a planted pickle was run."""
    return tmp_path / "somebody-was-here"
