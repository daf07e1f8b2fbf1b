import numpy as np
import pytest

from screening.campaign.ranking.score import active_weights, fronts, objectives, order, utility
from screening.errors import UserError

EQUAL = active_weights({})


def test_fronts_of_a_staircase_are_its_layers():
    # three anti-diagonals: no two points of one layer dominate each other, each layer dominates the next
    layers = [[(i, k - i) for i in range(k + 1)] for k in range(3)]
    points = np.array([p for layer in layers for p in layer], dtype=float)
    expected = [k + 1 for k, layer in enumerate(layers) for _ in layer]
    np.testing.assert_array_equal(fronts(points), expected)


def test_a_chain_gives_one_point_per_front():
    costs = np.repeat(np.arange(5.0)[::-1, None], 4, axis=1)
    np.testing.assert_array_equal(fronts(costs), [5, 4, 3, 2, 1])


def test_equal_points_share_a_front_and_a_weakly_worse_one_does_not():
    np.testing.assert_array_equal(fronts(np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]])), [1, 1, 2])


def test_no_candidates_give_no_fronts():
    assert fronts(np.empty((0, 4))).shape == (0,)


def test_fronts_agree_with_the_definition_on_random_points():
    rng = np.random.default_rng(3)
    # few distinct values, so that ties are common
    costs = rng.integers(0, 4, size=(60, 4)).astype(float)
    front = fronts(costs)
    left = set(range(len(costs)))
    level = 0
    while left:
        level += 1
        first = {
            i for i in left if not any(all(costs[j] <= costs[i]) and any(costs[j] < costs[i]) for j in left if j != i)
        }
        assert {i for i in left if front[i] == level} == first
        left -= first


def test_fronts_do_not_depend_on_order_or_monotone_rescaling():
    rng = np.random.default_rng(5)
    costs = rng.normal(size=(30, 4))
    shuffle = rng.permutation(30)
    np.testing.assert_array_equal(fronts(costs)[shuffle], fronts(costs[shuffle]))
    np.testing.assert_array_equal(fronts(costs), fronts(np.exp(costs) * [1, 10, 0.1, 3]))


def test_one_scale_better_everywhere_is_one_unit_of_score():
    reference = np.array([1.0, 0.9, 0.05, 0.03])
    better = reference + [o.sign * o.scale for o in objectives()]
    assert utility(better, EQUAL) - utility(reference, EQUAL) == pytest.approx(1.0)


def test_weights_are_relative():
    values = np.array([1.2, 0.7, 0.04, 0.02])
    assert utility(values, active_weights(dict.fromkeys((o.name for o in objectives()), 5.0))) == pytest.approx(
        utility(values, EQUAL)
    )


def test_rank_goes_by_front_before_score():
    # the second is worse in everything than the first; the third trades, with the lowest score, and stays in front 1
    values = np.array([[2.0, 0.5, 0.01, 0.01], [1.9, 0.6, 0.02, 0.02], [0.1, 0.4, 0.2, 0.2]])
    front, rank = order(values, EQUAL)
    assert utility(values, EQUAL)[2] < utility(values, EQUAL)[1]
    np.testing.assert_array_equal(front, [1, 2, 1])
    np.testing.assert_array_equal(rank, [1, 3, 2])


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        ({"adhesion": 1.0}, "unknown objective 'adhesion'"),
        ({"e_above_hull": -1.0}, "e_above_hull"),
        ({"e_above_hull": float("nan")}, "e_above_hull"),
        (dict.fromkeys((o.name for o in objectives()), 0.0), "positive weight"),
    ],
)
def test_unusable_weights_are_refused(weights, word):
    with pytest.raises(UserError, match=word):
        active_weights(weights)
