from hypothesis import given
from hypothesis import strategies as st

from screening.validation.jobs import in_order

NAMES = st.text("abcdefgh", min_size=1, max_size=1)


@st.composite
def waiting(draw):
    """Jobs that wait only for those before them in some order, listed in another one."""
    names = draw(st.lists(NAMES, unique=True))
    after = {name: draw(st.lists(st.sampled_from([*names[:i], "outside"]))) for i, name in enumerate(names)}
    return {name: after[name] for name in draw(st.permutations(names))}


@given(waiting())
def test_every_job_comes_once_and_after_what_it_waits_for(after):
    found = in_order(after)
    assert sorted(found) == sorted(after)
    for name, others in after.items():
        assert all(found.index(other) < found.index(name) for other in others if other in after)


def test_what_nothing_orders_keeps_its_place():
    assert in_order({"c": [], "a": [], "b": []}) == ["c", "a", "b"]
    assert in_order({"late": ["c"], "c": [], "a": []}) == ["c", "a", "late"]
