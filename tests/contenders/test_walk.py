"""A walk of two steps: by hand, and for somebody whose own items lead nowhere."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.config.sequences import Transitions as Steps
from landbridge.config.sequences import Walk as Settings
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.transitions import Transitions
from landbridge.contenders.walk import Walk
from landbridge.errors import ConfigError

ITEMS = 12
EVENTS = [
    *[(user, item, BIG, UNTIL - dt.timedelta(days=9 - item)) for user in range(5) for item in (0, 1)],
    *[(user, 1, BIG, UNTIL - dt.timedelta(days=8)) for user in range(9, 14)],
    *[(user, 7, SMALL, UNTIL - dt.timedelta(days=2)) for user in range(9, 14)],
    *[(user, item, SMALL, UNTIL - dt.timedelta(days=9 - item)) for user in range(20, 24) for item in (7, 8)],
]  # fmt: skip
"""Item 1 goes with item 2, both of the big scenario; item 2 with item 8 of the small one; that with item 9."""


def view_of(scope=ALL):
    return View(config_of(), scope, UNTIL, interactions_of(EVENTS, ITEMS))


def asking(*lists):
    """Users whose events were all in the big scenario, asked about the small one."""
    states = states_of(had_of(lists, ITEMS))
    states.scenario_BL[states.item_BL > 0] = 1
    return states


def fit(**settings):
    return Walk(Settings(**settings), Transitions(Steps(), True)).fit(view_of())


def test_who_has_what_leads_nowhere_here_is_led_by_its_neighbour():
    states, catalogue = asking([1]), catalogue_of(ITEMS)
    assert not Transitions(Steps(), True).fit(view_of()).score(states, catalogue)[0, 7] > 1e-4
    scores = fit().score(states, catalogue)
    assert scores[0, 7] > 1e-3
    assert scores[0].argmax() in (0, 7)


def test_scores_are_the_history_times_the_first_step_times_the_transitions():
    fitted, lent = fit(neighbours=1), Transitions(Steps(), True).fit(view_of())
    weights = lent.weights.toarray()
    home = np.array([BIG if item < 6 else SMALL for item in lent.items])
    first = np.where(home[:, None] == home[None], weights, 0)
    first *= first == first.max(axis=1, keepdims=True)
    first /= np.maximum(first.sum(axis=1, keepdims=True), 1e-30)
    expected = np.zeros(ITEMS + 1)
    expected[lent.items] = (first @ weights)[np.searchsorted(lent.items, 1)]
    found = fitted.score(asking([1]), catalogue_of(ITEMS))[0]
    np.testing.assert_allclose(found / found.max(), expected[1:] / expected.max(), atol=1e-5)


def test_of_who_has_events_here_it_says_nothing():
    elsewhere, here = asking([1]), states_of(had_of([[1]], ITEMS))
    assert fit().score(elsewhere, catalogue_of(ITEMS)).any()
    assert not fit().score(here, catalogue_of(ITEMS)).any()


def test_saved_and_loaded_it_scores_the_same(tmp_path):
    fitted = fit()
    save_fitted(fitted, tmp_path / "kept", {})
    states, catalogue = asking([1, 2], [8]), catalogue_of(ITEMS)
    assert np.array_equal(load_fitted(tmp_path / "kept").score(states, catalogue), fitted.score(states, catalogue))


def test_without_transitions_it_stops_before_anything_runs():
    with pytest.raises(ConfigError, match="walk reads transitions"):
        config_of("contenders.walk={}")
