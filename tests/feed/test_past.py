"""The past beside a row: what it holds, and that a row's own answer is in nothing of it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, table_of

from landbridge.feed.past import Past
from landbridge.feed.rows import Coding, Rows

TABLE = table_of(900, users=40)
ROWS = Rows.of(TABLE, Coding.fit(TABLE, NUMBERS, CATEGORIES, SCENARIOS))


@pytest.fixture(scope="module")
def past():
    return Past.fit(ROWS, 8, True, 30, 3.0)


def test_no_row_has_its_own_pair_among_its_events(past):
    beside = past.beside(ROWS)
    row, place = np.nonzero(beside.event_NL >= 0)
    event = beside.event_NL[row, place]
    assert len(row) > 1000
    assert (past.user_E[event] == ROWS.user_N[row]).all()
    assert (past.item_E[event] != ROWS.item_N[row]).all()


def test_the_past_of_a_scenario_alone_holds_its_events_only():
    past = Past.fit(ROWS, 8, False, 30, 3.0)
    beside = past.beside(ROWS)
    row, place = np.nonzero(beside.event_NL >= 0)
    assert (past.scenario_E[beside.event_NL[row, place]] == ROWS.scenario_N[row]).all()


def test_the_nearest_come_first_and_are_the_same_every_time(past):
    beside, again = past.beside(ROWS), past.beside(ROWS)
    near_NL = np.where(beside.event_NL >= 0, np.exp(beside.pair_NLP[..., :2]).sum(-1), 0.0)
    assert (np.diff(near_NL, axis=1) <= 1e-4).all()
    np.testing.assert_array_equal(beside.event_NL, again.event_NL)


def test_a_row_does_not_depend_on_the_rows_asked_with_it(past):
    some = np.array([5, 700, 2])
    few, whole = past.beside(ROWS.take(some)), past.beside(ROWS)
    for name, value in vars(few).items():
        np.testing.assert_array_equal(value, getattr(whole, name)[some])


def test_the_answers_asked_about_are_not_read(past):
    nothing = np.full(len(ROWS), np.nan, np.float32)
    blind = past.beside(replace(ROWS, label_N=nothing, value_N=nothing))
    np.testing.assert_array_equal(blind.pair_NLP, past.beside(ROWS).pair_NLP)


def test_a_similarity_is_that_of_the_other_users(past):
    """Taken out of the sums, a user's part leaves what the other users alone give."""
    beside = past.beside(ROWS)
    rows = np.flatnonzero(beside.event_NL[:, 0] >= 0)[:20]
    for row in rows:
        event, item = beside.event_NL[row, 0], ROWS.item_N[row]
        others = past.user_E != ROWS.user_N[row]
        left = [np.zeros(ROWS.coding.size("user")), np.zeros(ROWS.coding.size("user"))]
        both = [np.zeros(ROWS.coding.size("user")), np.zeros(ROWS.coding.size("user"))]
        for place, one in enumerate((item, past.item_E[event])):
            at = others & (past.item_E == one)
            left[place][past.user_E[at]] = past.residuals.left_NO[at, 0]
            both[place][past.user_E[at]] = 1.0
        count = (both[0] * both[1]).sum()
        cosine = left[0] @ left[1] / np.sqrt((left[0] ** 2).sum() * (left[1] ** 2).sum() + 1e-12)
        expected = max(cosine * count / (count + 3.0), 0.0)
        assert np.exp(beside.pair_NLP[row, 0, 0]) - 1e-3 == pytest.approx(expected, abs=2e-3)
        assert np.expm1(beside.pair_NLP[row, 0, 2]) == pytest.approx(count, abs=1e-3)


def test_a_training_row_learns_nothing_of_its_own_answer():
    """Labels are coins, so that nothing beside a row can tell its label but the label itself."""
    from sklearn.metrics import roc_auc_score

    coin = np.random.default_rng(3).integers(0, 2, len(ROWS)).astype(np.float32)
    rows = replace(ROWS, label_N=coin, value_N=np.full(len(ROWS), np.nan, np.float32))
    past = Past.fit(rows, 8, True, 30, 3.0)
    beside = past.beside(rows)
    weight_NL = np.where(beside.event_NL >= 0, np.exp(beside.pair_NLP[..., 0]), 0.0)
    left_NL = past.residuals.left_NO[np.maximum(beside.event_NL, 0), 0] + beside.shift_NO
    told = (weight_NL * left_NL).sum(1) / (weight_NL.sum(1) + 1.0)
    assert abs(roc_auc_score(coin, told) - 0.5) < 0.06


def test_where_there_is_time_the_past_is_earlier():
    """Three moments, ten days apart: only events of an earlier one stand beside a row."""
    timed = replace(ROWS, moment_N=10.0 * (np.arange(len(ROWS)) % 3))
    past = Past.fit(timed, 30, True, 60, 3.0)
    beside = past.beside(timed)
    ages = past.ages(timed.moment_N, beside.event_NL)
    there = beside.event_NL >= 0
    assert set(np.unique(ages[there])) == {10.0, 20.0}
    assert (ages[~there] == 0).all()
    assert not there[timed.moment_N == 0].any()
    unknown = replace(timed, moment_N=np.full(len(ROWS), np.nan))
    whole = Past.fit(ROWS, 30, True, 60, 3.0).beside(ROWS)
    assert ((past.beside(unknown).event_NL >= 0).sum(1) == (whole.event_NL >= 0).sum(1)).all()


def test_without_time_all_other_rows_are_past(past):
    beside = past.beside(ROWS)
    assert not past.timed
    assert not past.ages(ROWS.moment_N, beside.event_NL).any()
    at_once = Past.fit(replace(ROWS, moment_N=np.full(len(ROWS), 17000.5)), 8, True, 30, 3.0)
    np.testing.assert_array_equal(at_once.beside(ROWS).event_NL, beside.event_NL)


def test_saved_and_loaded_it_is_the_same(past, tmp_path):
    past.save(tmp_path / "past.npz")
    again = Past.load(tmp_path / "past.npz").beside(ROWS)
    for name, value in vars(past.beside(ROWS)).items():
        np.testing.assert_array_equal(value, getattr(again, name))


def test_users_without_other_rows_have_no_past(past):
    nobody = replace(ROWS.take(np.arange(5)), user_N=np.zeros(5, np.int32))
    beside = past.beside(nobody)
    assert (beside.event_NL == -1).all()
    assert (beside.taste_NT == 0).all()
