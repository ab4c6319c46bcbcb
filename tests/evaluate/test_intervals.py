"""Intervals resample users: with all that is theirs, and never rows."""

from __future__ import annotations

import numpy as np
import pytest

from landbridge.evaluate.intervals import linear_interval, percentiles, ratio_intervals
from landbridge.evaluate.metrics import auc


def widths(sums, counts, resamples=2000):
    """Value and width of an interval of one metric."""
    value, low, high = ratio_intervals(sums[:, None], counts[:, None], resamples, seed=1)
    return value[0], high[0] - low[0]


def test_the_interval_of_a_mean_is_that_of_the_books():
    """For many users, the mean plus or minus 1.96 standard errors."""
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    value, width = widths(values, np.ones(400))
    assert value == pytest.approx(values.mean())
    assert width == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_repeating_a_users_rows_does_not_narrow_it():
    values = np.random.default_rng(0).random(80)
    once, ten = widths(values, np.ones(80)), widths(10 * values, np.full(80, 10.0))
    assert ten == pytest.approx(once)


def test_it_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(7)
    covered = 0
    for seed in range(200):
        rows = draw.integers(1, 6, 60).astype(float)
        taste = draw.normal(0.3, 0.2, 60)
        _, low, high = ratio_intervals((taste * rows)[:, None], rows[:, None], 300, seed)
        covered += low[0] <= 0.3 <= high[0]
    assert 0.88 <= covered / 200 <= 0.99


def test_a_metric_that_nobody_has_is_not_defined_and_the_others_are():
    sums, counts = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    value, low, high = ratio_intervals(sums, counts, 100, seed=0)
    assert value[0] == 0.5
    assert (low[0], high[0]) == (0.0, 1.0)
    assert np.isnan([value[1], low[1], high[1]]).all()


def test_the_same_seed_gives_the_same_interval():
    sums, counts = np.random.default_rng(0).random((30, 3)), np.ones((30, 3))
    for first, again in zip(ratio_intervals(sums, counts, 100, 5), ratio_intervals(sums, counts, 100, 5), strict=True):
        np.testing.assert_array_equal(first, again)


def test_percentiles_pass_over_what_is_not_defined():
    drawn = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan]])
    low, high = percentiles(drawn)
    assert low[0] == pytest.approx(1.025)
    assert high[0] == pytest.approx(1.975)
    assert np.isnan([low[1], high[1]]).all()


def test_the_linear_interval_of_auc_is_near_that_of_resampling_and_sorting_again():
    draw = np.random.default_rng(2)
    users, width = 60, 12
    label = draw.random((users, width)) < 0.3
    scores = (label * 0.8 + draw.normal(0, 1, (users, width)) + draw.normal(0, 0.7, (users, 1))).astype(np.float32)

    def of(rows):
        part, kind = scores[rows], label[rows]
        return auc(part[kind], part[~kind], np.nonzero(kind)[0], np.nonzero(~kind)[0], len(rows))

    whole = of(np.arange(users))
    low, high = linear_interval(whole.value, whole.influence_U, 1000, seed=3)
    again = [of(draw.integers(0, users, users)).value for _ in range(1000)]
    assert (low, high) == pytest.approx(tuple(np.quantile(again, [0.025, 0.975])), abs=0.012)
