"""The measures of pointwise tasks, by hand and beside the library's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from landbridge.evaluate.pointwise import all_metrics, auc_of, calibration_error, main_metrics, slices, user_auc

LABEL = np.array([True, False, True, False])
SCORE = np.array([0.9, 0.6, 0.4, 0.2], np.float32)
ONE = np.zeros(4, np.intp)


def test_every_measure_by_hand():
    found = all_metrics(LABEL, SCORE, ONE)
    assert found["auc"] == pytest.approx(3 / 4)
    assert found["gauc"] == pytest.approx(3 / 4)
    assert found["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found["ks"] == pytest.approx(0.5)
    assert found["log_loss"] == pytest.approx(
        -(math.log(0.9) + math.log(0.4) + math.log(0.4) + math.log(0.8)) / 4, rel=1e-6
    )
    assert found["pcoc"] == pytest.approx((0.9 + 0.6 + 0.4 + 0.2) / 4 / 0.5)
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.2) / 4)
    assert [found[name] for name in ("accuracy", "precision", "recall", "f1")] == [0.5, 0.5, 0.5, 0.5]


def test_rows_of_one_kind_have_no_order_and_still_a_loss():
    found = all_metrics(np.ones(3, np.bool_), np.array([0.5, 0.5, 0.5], np.float32), ONE[:3])
    assert math.isnan(found["auc"])
    assert math.isnan(found["gauc"])
    assert found["log_loss"] == pytest.approx(math.log(2))
    assert found["pcoc"] == pytest.approx(0.5)
    assert math.isnan(all_metrics(np.zeros(2, np.bool_), SCORE[:2], ONE[:2])["pcoc"])
    assert all(math.isnan(value) for value in all_metrics(LABEL[:0], SCORE[:0], ONE[:0]).values())


def test_the_error_of_calibration_is_that_of_bins():
    """Two rows share a bin: mean probability 0.25, half of them positive."""
    label, score = np.array([True, False, True]), np.array([0.22, 0.28, 1.0])
    assert calibration_error(label, score) == pytest.approx((2 * 0.25 + 0) / 3)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_auc_by_user_is_the_librarys_with_ties(seed):
    draw = np.random.default_rng(seed)
    label, score, user = draw.random(60) < 0.4, draw.integers(0, 5, 60) / 5, draw.integers(0, 9, 60)
    for one, found in enumerate(user_auc(label, score, user)):
        own = user == one
        if len(np.unique(label[own])) == 2:
            assert found == pytest.approx(roc_auc_score(label[own], score[own]))
        else:
            assert math.isnan(found)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_auc_of_the_table_is_the_librarys(seed):
    draw = np.random.default_rng(seed)
    label, score = draw.random(80) < 0.4, (draw.integers(0, 9, 80) / 9).astype(np.float32)
    user = draw.integers(0, 12, 80)
    if len(np.unique(label)) == 2:
        expected = roc_auc_score(label, score)
        assert auc_of(label, score, user, 12).value == pytest.approx(expected)
        found = all_metrics(label, score, user)
        assert found["auc"] == pytest.approx(expected)
        assert main_metrics(label, score) == pytest.approx({name: found[name] for name in ("auc", "log_loss")})


def test_a_property_cuts_the_rows_in_two():
    known = np.array([True, False, True])
    assert {name: mask.tolist() for name, mask in slices(item_known=known)} == {
        "item known": [True, False, True],
        "item not known": [False, True, False],
    }
