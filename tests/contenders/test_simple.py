"""The simple contenders against what they are in the books, on small random logs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.contenders.base import ALL, View
from landbridge.contenders.ease import Ease, _through_users
from landbridge.contenders.item_item import ItemItem, cosine, nearest
from landbridge.contenders.popularity import Popularity
from landbridge.contenders.weights import evidence
from landbridge.errors import TrainError

ITEMS = 30
CONFIG = config_of()


@pytest.fixture(scope="module")
def log():
    """Ninety users of the large scenario, thirty of the small, ten of both."""
    draw = np.random.default_rng(4)
    events = []
    for user in range(120):
        homes = [BIG] if user < 80 else [SMALL] if user >= 90 else [BIG, SMALL]
        for item in draw.choice(ITEMS, size=draw.integers(1, 9), replace=False):
            day = UNTIL - dt.timedelta(days=int(draw.integers(90)))
            events.append((user, int(item), homes[int(draw.integers(len(homes)))], day))
    return interactions_of(events, ITEMS)


def pairs(log, scenario=None):
    """The dense user x item matrix, as a loop over the rows makes it."""
    wanted = None if scenario is None else log.vocabulary.id("scenario", scenario)
    dense = np.zeros((len(log.user_ids), ITEMS + 1))
    for user, item, where in zip(log.user, log.item, log.scenario, strict=True):
        if wanted in (None, where):
            dense[user, item] = 1
    return dense


def scores(contender, log, scope=SMALL):
    """What it scores for every user of the log, on the whole catalogue."""
    fitted = contender.fit(View(CONFIG, scope, UNTIL, log))
    return fitted.score(states_of(log.matrix()), catalogue_of(ITEMS))


def test_popularity_counts_users_and_not_events():
    events = [
        (0, 0, SMALL, UNTIL),
        (0, 0, SMALL, UNTIL),
        (1, 0, SMALL, UNTIL),
        (1, 2, SMALL, UNTIL),
        (7, 2, BIG, UNTIL),
    ]
    log = interactions_of(events, 3)
    somebody = states_of(had_of([[]], 3))
    alone = Popularity().fit(View(CONFIG, SMALL, UNTIL, log)).score(somebody, catalogue_of(3))
    across = Popularity(True).fit(View(CONFIG, ALL, UNTIL, log)).score(somebody, catalogue_of(3))
    assert alone.tolist() == [[2, 0, 1]]
    assert across.tolist() == [[2, 0, 2]]


def test_recent_popularity_looks_at_the_last_days_and_breaks_ties_by_all_time():
    before = UNTIL - dt.timedelta(days=30)
    recent = before + dt.timedelta(days=1)
    log = interactions_of(
        [
            (0, 0, SMALL, before),
            (1, 0, SMALL, before),
            (2, 1, SMALL, recent),
            (3, 2, SMALL, UNTIL),
            (4, 2, SMALL, before),
        ],
        3,
    )
    found = (
        Popularity(False, 30).fit(View(CONFIG, SMALL, UNTIL, log)).score(states_of(had_of([[]], 3)), catalogue_of(3))
    )
    np.testing.assert_allclose(found[0], [0.002, 1.001, 1.002], rtol=1e-6)


@pytest.mark.parametrize(("across", "scenario"), [(None, SMALL), (1.0, None)])
def test_item_item_with_all_neighbours_is_the_cosine(log, across, scenario):
    seen = pairs(log, scenario)
    gram = seen.T @ seen
    norm = np.sqrt(np.diag(gram)) + 1e-9
    near = gram / np.outer(norm, norm)
    np.fill_diagonal(near, 0)
    found = scores(ItemItem(ITEMS, across), log)
    np.testing.assert_allclose(found, (pairs(log) @ near)[:, 1:], rtol=1e-5, atol=1e-6)


def test_only_the_nearest_neighbours_are_kept_and_ties_go_to_the_lower_item(log):
    near = cosine(evidence(View(CONFIG, ALL, UNTIL, log), 1.0).gram())
    dense = near.toarray()
    kept = nearest(near, 5).toarray()
    for row, cut in zip(dense, kept, strict=True):
        first = [column for column in np.lexsort((np.arange(len(row)), -row))[:5] if row[column] > 0]
        assert np.flatnonzero(cut).tolist() == sorted(first)
        np.testing.assert_array_equal(cut[first], row[first])


@pytest.mark.parametrize(("across", "scenario"), [(None, SMALL), (1.0, None)])
def test_ease_is_the_closed_form(log, across, scenario):
    seen = pairs(log, scenario)
    inverse = np.linalg.inv(seen.T @ seen + 7.0 * np.eye(ITEMS + 1))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    found = scores(Ease(7.0, 100, across), log)
    np.testing.assert_allclose(found, (pairs(log) @ weights)[:, 1:], rtol=1e-5, atol=1e-6)


def test_ease_solved_through_users_is_the_same(log):
    seen = pairs(log)
    direct = np.linalg.inv(seen.T @ seen + 3.0 * np.eye(ITEMS + 1))
    np.testing.assert_allclose(_through_users(seen, 3.0), direct, rtol=1e-10, atol=1e-12)


def test_ease_is_the_best_that_a_zero_diagonal_allows(log):
    """At the minimum the gradient of the loss vanishes off the diagonal."""
    fitted = Ease(7.0, 100, 1.0).fit(View(CONFIG, ALL, UNTIL, log))
    seen = pairs(log)[:, fitted.items]
    gradient = seen.T @ (seen @ fitted.weights - seen) + 7.0 * fitted.weights
    off = ~np.eye(len(fitted.items), dtype=bool)
    assert np.abs(gradient[off]).max() < 1e-4
    assert not np.diag(fitted.weights).any()


@pytest.mark.parametrize("make", [lambda across: ItemItem(ITEMS, across), lambda across: Ease(7.0, 100, across)])
def test_the_weight_of_the_others_goes_from_alone_to_pooled(log, make):
    np.testing.assert_allclose(scores(make(0.0), log), scores(make(None), log), rtol=1e-5, atol=1e-6)
    almost = scores(make(1.0 - 1e-9), log)
    np.testing.assert_allclose(almost, scores(make(1.0), log), rtol=1e-4, atol=1e-5)
    half = scores(make(0.5), log)
    assert not np.allclose(half, scores(make(1.0), log), atol=1e-3)
    assert not np.allclose(half, scores(make(None), log), atol=1e-3)


def test_the_weighted_evidence_counts_others_by_their_weight(log):
    own, everybody = pairs(log, SMALL), pairs(log)
    seen = evidence(View(CONFIG, SMALL, UNTIL, log), 0.25)
    expected = own.T @ own + 0.25 * (everybody.T @ everybody - own.T @ own)
    np.testing.assert_allclose(seen.gram().toarray(), expected[np.ix_(seen.items, seen.items)])


def test_ease_above_its_limit_is_left_out_and_says_so(log):
    contender, view = Ease(7.0, ITEMS - 1, 1.0), View(CONFIG, ALL, UNTIL, log)
    assert (
        contender.left_out(view)
        == f"ease_across is left out for *: {ITEMS} items are above contenders.ease.max_items {ITEMS - 1}"
    )
    assert Ease(7.0, ITEMS, 1.0).left_out(view) is None
    with pytest.raises(TrainError, match="max_items"):
        contender.fit(view)
