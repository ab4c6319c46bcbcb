"""Every measure by hand, and beside the library's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as library_log_loss
from sklearn.metrics import ndcg_score, roc_auc_score
from tests.boards import had_of

from landbridge.evaluate.metrics import auc, contains, log_loss, ranking, unit_auc

TWO, THREE = 1 / math.log2(3), 1 / math.log2(4)


@pytest.mark.parametrize(
    ("items", "taken", "k", "ndcg", "recall", "hit_rate", "mrr", "map"),
    [
        ([7, 8, 9], [7], 3, 1.0, 1.0, 1.0, 1.0, 1.0),
        ([8, 7, 9], [7], 3, TWO, 1.0, 1.0, 1 / 2, 1 / 2),
        ([8, 9, 7], [7], 2, 0.0, 0.0, 0.0, 0.0, 0.0),
        ([8, 9, 7], [7, 4], 3, THREE / (1 + TWO), 0.5, 1.0, 1 / 3, 1 / 6),
        ([8, 7, 4], [7, 4], 3, (TWO + THREE) / (1 + TWO), 1.0, 1.0, 1 / 2, (1 / 2 + 2 / 3) / 2),
        ([1, 2, 3], [1, 2, 3, 4, 5], 2, 1.0, 0.4, 1.0, 1.0, 1.0),
        ([1, 0, 0], [1, 2], 3, 1 / (1 + TWO), 0.5, 1.0, 1.0, 1 / 2),
        ([0, 0, 0], [2], 3, 0.0, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_ranking_by_hand(items, taken, k, ndcg, recall, hit_rate, mrr, map):
    found = ranking(np.array([items], np.int32), had_of([taken], 9), k)
    expected = {"ndcg": ndcg, "recall": recall, "hit_rate": hit_rate, "mrr": mrr, "map": map}
    assert {name: value[0] for name, value in found.items()} == pytest.approx(expected)


def test_ndcg_is_the_librarys():
    draw = np.random.default_rng(0)
    relevant = (draw.random((20, 12)) < 0.3).astype(int)
    relevant[:, 0] = 1
    scores = draw.permuted(np.tile(np.arange(12.0), (20, 1)), axis=1)
    order = np.argsort(-scores, axis=1) + 1
    found = ranking(order.astype(np.int32), had_of([list(np.flatnonzero(row) + 1) for row in relevant], 12), 5)
    assert found["ndcg"].mean() == pytest.approx(ndcg_score(relevant, scores, k=5))


def rows_of(seed, levels=4, users=6, width=8):
    """Scores with ties, labels, and cells that are padding."""
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, levels, (users, width)).astype(np.float32)
    return scores, draw.random((users, width)) < 0.4, draw.random((users, width)) < 0.8


def split(scores, label, valid):
    """Positives, negatives, and whose they are."""
    positive, negative = label & valid, ~label & valid
    return scores[positive], scores[negative], np.nonzero(positive)[0], np.nonzero(negative)[0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_auc_is_the_librarys_with_ties(seed):
    scores, label, valid = rows_of(seed)
    if len(np.unique(label[valid])) == 2:
        value = auc(*split(scores, label, valid), 6).value
        assert value == pytest.approx(roc_auc_score(label[valid], scores[valid]), abs=1e-12)


def test_auc_without_both_kinds_is_not_defined():
    none = np.zeros(0, np.float32)
    assert math.isnan(auc(none, np.ones(3, np.float32), np.zeros(0, np.intp), np.zeros(3, np.intp), 1).value)


def test_the_influence_of_a_user_is_the_derivative_of_auc_by_his_weight():
    scores, label, valid = rows_of(3, levels=50)
    found = auc(*split(scores, label, valid), 6)
    user = np.repeat(np.arange(6)[:, None], 8, axis=1)[valid]
    for one in range(6):
        heavier = roc_auc_score(label[valid], scores[valid], sample_weight=1.0 + 1e-5 * (user == one))
        assert (heavier - found.value) / 1e-5 == pytest.approx(found.influence_U[one], abs=1e-4)
    assert found.influence_U.sum() == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_unit_auc_is_the_librarys_row_by_row(seed):
    scores, label, valid = rows_of(seed)
    for row, found in enumerate(unit_auc(scores, label, valid)):
        kept = valid[row]
        if len(np.unique(label[row][kept])) == 2:
            assert found == pytest.approx(roc_auc_score(label[row][kept], scores[row][kept]))
        else:
            assert math.isnan(found)


def test_log_loss_by_hand_and_by_the_library():
    chance = np.array([[0.9, 0.2, 0.5], [0.4, 0.7, 0.1]], np.float32)
    label = np.array([[True, False, True], [False, True, False]])
    valid = np.array([[True, True, True], [True, True, False]])
    found = log_loss(chance, label, valid)
    assert found[0] == pytest.approx(-math.log(0.9) - math.log(0.8) - math.log(0.5), rel=1e-6)
    expected = library_log_loss(label[valid], chance[valid].astype(float), normalize=False)
    assert found.sum() == pytest.approx(expected, rel=1e-6)


def test_a_sure_and_wrong_probability_costs_much_and_not_infinitely():
    assert log_loss(np.array([[1.0]], np.float32), np.array([[False]]), np.array([[True]]))[0] == pytest.approx(
        -math.log(1e-7)
    )


def test_contains_looks_into_the_own_row_only():
    rows = had_of([[3, 1], [], [2]], 4)
    assert contains(rows, np.array([[1, 2, 3, 0], [1, 2, 3, 4], [2, 2, 4, 1]])).tolist() == [
        [True, False, True, False],
        [False] * 4,
        [True, True, False, False],
    ]
    assert not contains(had_of([[], []], 4), np.array([[1], [2]])).any()
