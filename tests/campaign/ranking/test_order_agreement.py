import numpy as np
import pytest

from screening.campaign.ranking.agreement import agreement


def test_a_right_order_with_wrong_values():
    found = agreement("migration_barrier_eV", [0.5, 0.6, 0.7, 0.8], [0.9, 1.1, 1.2, 1.6], sign=-1)
    assert (found.spearman, found.kendall, found.pairs_in_order, found.top_agreement) == pytest.approx((1, 1, 1, 1))
    assert found.mean_signed_difference == pytest.approx(-0.55)
    assert (found.n, found.top) == (4, 2)


def test_one_exchanged_pair_by_hand():
    """Ranks 1 2 3 4 against 2 1 3 4: Spearman 1 - 6 * 2 / (4 * 15) = 0.8, five of six pairs, Kendall (5 - 1) / 6."""
    found = agreement("x", [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 3.0, 4.0], sign=1)
    assert found.spearman == pytest.approx(0.8)
    assert found.pairs_in_order == pytest.approx(5 / 6)
    assert found.kendall == pytest.approx(4 / 6)
    assert found.top_agreement == 1.0  # the two best are the same, the exchanged ones are the two worst
    assert agreement("x", [1.0, 2.0, 3.0, 4.0], [3.0, 1.0, 2.0, 4.0], sign=-1).top_agreement == 0.5


def test_the_direction_decides_who_is_best():
    values = ([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    assert agreement("x", *values, sign=-1).top_agreement == 1.0
    assert agreement("x", *values, sign=1).top_agreement == 0.0


def test_fewer_than_three_say_nothing_about_an_order():
    found = agreement("x", [1.0, 2.0], [1.5, 2.5], sign=1)
    assert (found.spearman, found.kendall, found.top_agreement, found.pairs_in_order) == (None,) * 4
    assert found.mean_signed_difference == pytest.approx(-0.5)
    assert agreement("x", [], [], sign=1).mean_signed_difference is None


def test_equal_values_have_no_correlation():
    found = agreement("x", [1.0, 1.0, 1.0], [1.0, 2.0, 3.0], sign=1)
    assert found.spearman is None
    assert found.pairs_in_order == 0.0


def test_the_order_of_candidates_does_not_matter():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=7), rng.normal(size=7)
    order = rng.permutation(7)
    a = agreement("x", one.tolist(), two.tolist(), sign=1)
    b = agreement("x", one[order].tolist(), two[order].tolist(), sign=1)
    assert (a.spearman, a.kendall, a.top_agreement) == pytest.approx((b.spearman, b.kendall, b.top_agreement))
