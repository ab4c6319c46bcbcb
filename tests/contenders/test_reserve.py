"""Places that are kept for items that nobody has had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.boards import (
    BIG,
    SMALL,
    UNTIL,
    catalogue_of,
    checkerboard,
    config_of,
    had_of,
    interactions_of,
    states_of,
    words_of,
)

from landbridge.contenders.base import ALL, Fitted, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.reserve import ReserveFitted
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError

ITEMS = 12
CONFIG = config_of("contenders.content={}", "contenders.reserve={every: 3, known: item_item, new: content}")
CONTENDERS = {contender.name: contender for contender in all_simple(CONFIG)}


@dataclass(frozen=True)
class Given(Fitted):
    """Scores that are given, by item id, the same for everybody."""

    score_V: np.ndarray

    def score(self, states, catalogue):
        return np.tile(self.score_V[catalogue.items].astype(np.float32), (len(states), 1))

    def save(self, folder):
        np.save(folder / "score.npy", self.score_V)

    @classmethod
    def load(cls, folder):
        return cls(np.load(folder / "score.npy"))


def reserve(known=range(1, 7), untold=(), every=3):
    """Items 1-6 somebody has had, the lower the better; of 7-12 the higher the better, of some nothing is known."""
    by_id = np.arange(ITEMS + 1.0)
    told = np.where(np.isin(by_id, list(untold)), 0.0, by_id)
    return ReserveFitted(np.array(known, np.int32), Given(-by_id), Given(told), every)


def order_of(fitted, had=()):
    states, catalogue = states_of(had_of([had], ITEMS)), catalogue_of(ITEMS)
    order = catalogue.items[np.argsort(-fitted.score(states, catalogue)[0], kind="stable")]
    return [int(item) for item in order if item not in had]


def test_every_nth_place_is_for_a_new_item_in_the_order_of_its_own_contender():
    assert order_of(reserve())[:9] == [1, 2, 12, 3, 4, 11, 5, 6, 10]
    assert order_of(reserve(every=2))[:6] == [1, 12, 2, 11, 3, 10]


def test_what_the_user_has_takes_no_place():
    assert order_of(reserve(), had=(1, 3, 12))[:6] == [2, 4, 11, 5, 6, 10]


def test_a_new_item_of_which_nothing_is_known_stands_behind_all():
    assert order_of(reserve(untold=(10, 11, 12)))[:6] == [1, 2, 9, 3, 4, 8]
    assert order_of(reserve(untold=range(7, 13)))[:6] == [1, 2, 3, 4, 5, 6]


def test_without_new_items_the_order_is_that_of_the_known_ones():
    assert order_of(reserve(known=range(1, 13))) == list(range(1, 13))


def test_new_is_what_nobody_had_alone_in_the_scenario_across_in_none():
    events = checkerboard(8, 6) + checkerboard(8, 9, BIG, first_user=100)
    view = View(CONFIG, SMALL, UNTIL, interactions_of(events, ITEMS), words=words_of(ITEMS))
    alone = CONTENDERS["reserve"].fit(view)
    across = CONTENDERS["reserve_across"].fit(View(**{**vars(view), "scope": ALL}))
    assert alone.items.tolist() == list(range(1, 7))
    assert across.items.tolist() == list(range(1, 10))


def test_saved_and_loaded_it_scores_the_same(tmp_path):
    interactions = interactions_of(checkerboard(8, 9), ITEMS)
    fitted = CONTENDERS["reserve"].fit(View(CONFIG, SMALL, UNTIL, interactions, words=words_of(ITEMS)))
    save_fitted(fitted, tmp_path / "kept", {})
    states, catalogue = states_of(had_of([(1, 3), ()], ITEMS)), catalogue_of(ITEMS)
    assert np.array_equal(load_fitted(tmp_path / "kept").score(states, catalogue), fitted.score(states, catalogue))


def test_a_part_that_is_not_configured_stops_before_anything_runs():
    with pytest.raises(ConfigError, match="reserve takes text, which is not among contenders"):
        config_of("contenders.reserve={known: item_item}")
