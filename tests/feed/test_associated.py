"""What a ranker reads of associations: by hand, by two ways, and never of the row's own day."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from tests.boards import catalogue_of, had_of, states_of

from landbridge.feed.associated import FLOOR, Associated, Timeline

ITEMS, USERS, OWN, OTHER = 30, 12, 2, 1


def kind(seed, size=ITEMS + 1):
    near = sp.random(size, size, 0.2, "csr", np.float32, np.random.default_rng(seed))
    cells = near.tocoo()
    known = (cells.row > 0) & (cells.col > 0)  # nothing goes with the unknown item
    return sp.csr_matrix((cells.data[known], (cells.row[known], cells.col[known])), shape=(size, size))


@pytest.fixture
def associated():
    return Associated({"taken": kind(0), "author": kind(1)})


@pytest.fixture
def states():
    """Users of every length of history, an item of it twice, about half of it from another scenario."""
    draw = np.random.default_rng(2)
    lists = [draw.permutation(ITEMS)[:row] + 1 for row in range(USERS)]
    known = states_of(had_of(lists, ITEMS), OWN)
    item_BL = known.item_BL.copy()
    item_BL[5:, -1] = item_BL[5:, -2]
    where_BL = np.where(item_BL > 0, draw.integers(OTHER, OWN + 1, item_BL.shape), 0).astype(np.int32)
    return dataclasses.replace(known, item_BL=item_BL, scenario_BL=where_BL)


def by_hand(near, states, row, item, own):
    events = {
        int(one)
        for one, where in zip(states.item_BL[row], states.scenario_BL[row], strict=True)
        if one > 0 and bool(where == OWN) is own
    }
    return np.log1p(sum(near[one, item] for one in events) / FLOOR)


def test_features_are_sums_over_distinct_items_kind_by_kind_own_scenario_first(associated, states):
    index_BK = np.tile(np.arange(4), (USERS, 1)) + np.arange(USERS)[:, None]
    expected = [
        [
            [by_hand(near, states, row, index + 1, own) for own in (True, False) for near in associated.kinds.values()]
            for index in index_BK[row]
        ]
        for row in range(USERS)
    ]
    found = associated.of_catalogue(states, catalogue_of(ITEMS), index_BK)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (found > 0).any(axis=(0, 1)).all()


def test_pairs_and_catalogues_say_the_same(associated, states):
    row_B = np.array([3, 0, 11, 3, 7])
    index_BK = np.random.default_rng(4).integers(0, ITEMS, (len(row_B), 6))
    item_BK = (index_BK + 1).astype(np.int32)
    by_product = associated.of_catalogue(states.take(row_B), catalogue_of(ITEMS), index_BK)
    np.testing.assert_allclose(associated.of_pairs(states, row_B, item_BK), by_product, rtol=1e-5)


def test_nothing_goes_with_an_item_that_came_later(states):
    early = Associated({"taken": kind(0, size=10)})
    index_BK = np.tile(np.array([*range(9), 25]), (USERS, 1))
    for found in (
        early.of_catalogue(states, catalogue_of(ITEMS), index_BK),
        early.of_pairs(states, np.arange(USERS), (index_BK + 1).astype(np.int32)),
    ):
        assert not found[:, -1].any()
        assert found[:, :-1].any()


def test_a_row_reads_the_last_day_before_its_own(associated, states):
    other = Associated({"taken": kind(5), "author": kind(6)})
    timeline = Timeline(np.array([100, 107]), (associated, other))
    day_B = np.array([100, 101, 107, 108, 130], np.int32)
    row_B, item_BK = np.full(5, 9), np.tile(np.arange(1, ITEMS + 1, dtype=np.int32), (5, 1))
    found = timeline.of_pairs(states, row_B, item_BK, day_B)
    first, second = (one.of_pairs(states, row_B[:1], item_BK[:1])[0] for one in (associated, other))
    assert not np.array_equal(first, second)
    for row, expected in enumerate([np.zeros_like(first), first, first, second, second]):
        np.testing.assert_array_equal(found[row], expected)


def test_the_best_of_every_kind_are_the_nearest_whatever_it_weighs(states):
    small = Associated({"taken": kind(0), "author": kind(1) * np.float32(1e-3)})
    nearness_BC = small.nearness(states, catalogue_of(ITEMS))
    assert not nearness_BC[0].any()
    for near in small.kinds.values():
        past = (states.item_BL[:, :, None] == np.arange(ITEMS + 1)).any(axis=1).astype(np.float32)
        sums = (past @ near)[1:, 1:]
        best = sums.argmax(axis=1)
        np.testing.assert_allclose(nearness_BC[1:][np.arange(USERS - 1), best], sums.max(axis=1) > 0)
