"""Trees over other contenders: what newcomers take, where most who take something live there."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError
from landbridge.feed.hidden import hidden

ITEMS = 12
BEFORE = UNTIL - dt.timedelta(days=5)
STACK = "contenders.stack={parts: [popularity_across, item_item_across], candidates: 10, min_rows: 20}"
CONFIG = config_of(STACK)
CONTENDER = {contender.name: contender for contender in all_simple(CONFIG)}["stack"]
MOVERS = [
    event
    for user in range(600)
    for event in ((user, user % 4, BIG, BEFORE), (user, 8 + user % 2, SMALL, UNTIL), (user, 10, SMALL, UNTIL))
]
"""Half of them take item 9 in the small scenario (by what they had in the big one), half item 10, and all item 11."""
LOCALS = [(user, item, SMALL, UNTIL) for user in range(1000, 2000) for item in (6, 7)]
"""They are more, know the small scenario alone, and take items 7 and 8, that nobody who comes over takes."""
EVENTS = MOVERS + LOCALS


def view_of(events=EVENTS, scope=ALL):
    return View(CONFIG, scope, UNTIL, interactions_of(events, ITEMS))


@pytest.fixture(scope="module")
def fitted():
    return CONTENDER.fit(view_of())


def asking(*lists):
    """Users whose events were all in the big scenario, asked about the small one."""
    states = states_of(had_of(lists, ITEMS))
    states.scenario_BL[states.item_BL > 0] = 1
    return states


def first(fitted, states, count=2):
    scores_BC = np.array(fitted.score(states, catalogue_of(ITEMS)))
    scores_BC[states.had[:, 1:].toarray() > 0] = -np.inf
    return (np.argsort(-scores_BC, axis=1, kind="stable")[:, :count] + 1).tolist()


def test_newcomers_get_what_newcomers_take_and_not_what_those_take_who_live_there(fitted):
    popular = next(iter(fitted.parts.values()))[0]
    assert set(first(popular, asking([1]))[0]) == {7, 8}
    found = first(fitted, asking([1], [2], [3], [4]))
    assert [set(one) for one in found] == [{9, 11}, {10, 11}, {9, 11}, {10, 11}]


def test_who_has_events_there_gets_the_order_of_the_first_part(fitted):
    here, popular = states_of(had_of([[9]], ITEMS)), next(iter(fitted.parts.values()))[0]
    catalogue = catalogue_of(ITEMS)
    np.testing.assert_array_equal(fitted.score(here, catalogue), popular.score(here, catalogue))


def test_a_batch_of_both_is_scored_as_each_alone(fitted):
    catalogue, both = catalogue_of(ITEMS), states_of(had_of([[1], [9], [2]], ITEMS))
    both.scenario_BL[[0, 2]] = np.where(both.item_BL[[0, 2]] > 0, 1, 0)
    together = fitted.score(both, catalogue)
    alone = [fitted.score(both.take(np.array([row])), catalogue)[0] for row in range(3)]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_candidates_stand_before_the_rest_and_what_nobody_had_scores_zero(fitted):
    catalogue = catalogue_of(ITEMS + 3)
    narrow = replace(fitted, candidates=2)
    scores = narrow.score(asking([1]), catalogue)[0]
    chosen = scores >= 1
    assert 2 <= chosen.sum() <= 4
    assert (scores[chosen] <= 2).all()
    assert (scores[~chosen] < 1).all()
    assert not scores[ITEMS:].any()


def test_saved_and_loaded_it_scores_the_same(fitted, tmp_path):
    save_fitted(fitted, tmp_path / "kept", {})
    again, states, catalogue = load_fitted(tmp_path / "kept"), asking([1, 2], [], [9]), catalogue_of(ITEMS)
    np.testing.assert_array_equal(again.score(states, catalogue), fitted.score(states, catalogue))


def test_the_order_of_the_log_changes_nothing(fitted):
    again = CONTENDER.fit(view_of(EVENTS[::-1]))
    assert again.trees == fitted.trees


def test_of_a_scenario_from_which_few_were_hidden_nothing_is_learned():
    few = [event for event in MOVERS if event[0] < 99]
    found = CONTENDER.fit(view_of(few + LOCALS))
    assert not found.trees
    states, catalogue = asking([1]), catalogue_of(ITEMS)
    popular = next(iter(found.parts.values()))[0]
    np.testing.assert_array_equal(found.score(states, catalogue), popular.score(states, catalogue))


def test_a_scenario_that_is_hidden_whole_teaches_nothing():
    alone = [event for event in MOVERS if event[2] == BIG] + [(1, 9, SMALL, UNTIL)]
    both = [(user, 3, BIG, BEFORE) for user in range(600)]
    assert CONTENDER.fit(view_of(alone + both)).trees == {}


def test_where_nobody_is_in_two_scenarios_it_is_left_out():
    assert CONTENDER.left_out(view_of()) is None
    assert "0 users have events in two scenarios" in CONTENDER.left_out(view_of(LOCALS))


def test_a_part_that_is_left_out_leaves_it_out():
    content = {one.name: one for one in all_simple(config_of("contenders.content={}"))}["content_across"]
    reason = replace(CONTENDER, parts=(content,)).left_out(view_of())
    assert reason.startswith("stack is left out, because content_across is left out")


def test_a_part_that_is_not_configured_stops_before_anything_runs():
    with pytest.raises(ConfigError, match="stack takes transitions_across, and transitions is not among contenders"):
        config_of("contenders.stack={parts: [transitions_across]}")


class TestHidden:
    """The folds by themselves."""

    def test_every_mover_loses_each_scenario_once_one_at_a_time_and_nobody_else_loses_anything(self):
        log, lost = view_of().interactions, []
        for known, groups in hidden(log, 4, 10_000, 5):
            kept = set(zip(known.user, known.scenario, known.item, strict=True))
            gone = set(zip(log.user, log.scenario, log.item, strict=True)) - kept
            assert gone
            pairs = {(user, scenario) for user, scenario, _ in gone}
            assert not pairs & {(user, scenario) for user, scenario, _ in kept}
            assert sum(int(group.lost.nnz) for group in groups) == len(gone)
            assert len({user for user, _ in pairs}) == len(pairs)
            lost += list(pairs)
        assert sorted(lost) == [(user, scenario) for user in range(600) for scenario in (1, 2)]

    def test_states_tell_what_is_left_and_lost_is_what_is_gone(self):
        log = view_of().interactions
        for known, groups in hidden(log, 3, 10_000, 2):
            for group in groups:
                assert group.states.newcomers().all()
                other = 3 - group.states.scenario
                assert set(group.states.scenario_BL[group.states.item_BL > 0]) == {other}
                np.testing.assert_array_equal((group.states.item_BL > 0).sum(axis=1), group.states.length_B)
                assert not group.states.had.multiply(group.lost).nnz
                own = known.item[known.scenario == group.states.scenario]
                np.testing.assert_array_equal(group.catalogue.items, np.unique(own))

    def test_a_state_holds_the_last_events(self):
        events = [(user, item, BIG, UNTIL - dt.timedelta(days=9 - item)) for user in range(50) for item in range(4)]
        log = interactions_of(events + [(user, 9, SMALL, UNTIL) for user in range(50)], ITEMS)
        (group,) = [one for _, groups in hidden(log, 2, 100, 2) for one in groups if one.states.scenario == 2][:1]
        assert (group.states.item_BL == [3, 4]).all()
        assert (group.lost.indices == 10).all()

    def test_no_more_users_than_asked_for(self):
        sizes = [len(group.states) for _, groups in hidden(view_of().interactions, 2, 7, 5) for group in groups]
        assert sizes
        assert max(sizes) == 7
