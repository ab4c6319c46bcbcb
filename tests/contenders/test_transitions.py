"""Sequence neighbours against a loop over all pairs, and against sequences whose next item is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.config.sequences import Steps
from landbridge.config.sequences import Transitions as Settings
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.simple import all_simple
from landbridge.contenders.transitions import Transitions, TransitionsFitted

ITEMS = 25
CONFIG = config_of()
SETTINGS = Settings(
    window=6,
    length_power=0.4,
    source_power=0.6,
    target_power=0.2,
    shrinkage=3.0,
    own=Steps(distance_power=0.5, backward=0.3, decay=0.8),
    other=Steps(distance_power=0.1, backward=0.7, decay=0.9),
    across=0.6,
)


@pytest.fixture(scope="module")
def log():
    """Sixty users; items below 15 are of the large scenario; some users take several things in one moment."""
    draw = np.random.default_rng(8)
    events = []
    for user in range(60):
        for item in draw.choice(ITEMS, size=draw.integers(1, 12), replace=False):
            day = UNTIL - dt.timedelta(days=int(draw.integers(14)))
            events.append((user, int(item), BIG if item < 15 else SMALL, day))
    return interactions_of(events, ITEMS)


def by_loops(log, settings, scope=ALL):
    """The dense weights, pair by pair."""
    wanted = None if scope == ALL else log.vocabulary.id("scenario", scope)
    weights, users = np.zeros((ITEMS + 1, ITEMS + 1)), np.zeros(ITEMS + 1)
    for user in range(len(log.user_ids)):
        mine = [
            (log.ts[n], log.item[n], log.scenario[n])
            for n in np.flatnonzero(log.user == user)
            if wanted in (None, log.scenario[n])
        ]
        moments = sorted({ts for ts, _, _ in mine})
        for later, (ts, item, scenario) in enumerate(mine):
            users[item] += 1
            for before, before_item, before_scenario in mine[max(0, later - settings.window) : later]:
                crossing = scenario != before_scenario
                steps = settings.other if crossing else settings.own
                apart = moments.index(ts) - moments.index(before)
                worth = (settings.across if crossing else 1) / max(apart, 1) ** steps.distance_power
                worth /= len(mine) ** settings.length_power
                forth, back = (1, steps.backward) if apart else ((1 + steps.backward) / 2,) * 2
                weights[before_item, item] += worth * forth
                weights[item, before_item] += worth * back
    known = users + settings.shrinkage
    return weights * known[:, None] ** -settings.source_power * known[None, :] ** -settings.target_power, users


@pytest.mark.parametrize(("crosses", "scope"), [(False, SMALL), (False, BIG), (True, ALL)])
def test_weights_are_the_sum_over_all_pairs(log, crosses, scope):
    fitted = Transitions(SETTINGS, crosses).fit(View(CONFIG, scope, UNTIL, log))
    expected, users = by_loops(log, SETTINGS, scope)
    assert fitted.items.tolist() == np.flatnonzero(users).tolist()
    np.testing.assert_allclose(fitted.weights.toarray(), expected[np.ix_(fitted.items, fitted.items)], rtol=1e-5)
    assert fitted.users_M.tolist() == users[fitted.items].tolist()


def test_a_score_is_the_history_by_recency_times_the_weights(log):
    fitted = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, log))
    weights, users = by_loops(log, SETTINGS)
    states = states_of(had_of([[2, 7, 20], [], [16]], ITEMS))
    # Of the first user, 2 and 7 are of the other scenario, 20 of the one that is asked about.
    states.scenario_BL[0, -3:-1] = 1
    scores = fitted.score(states, catalogue_of(ITEMS))
    popular = users[1:] * 1e-6 / users.max()
    expected = np.stack([0.9**2 * weights[2] + 0.9 * weights[7] + weights[20], np.zeros(ITEMS + 1), weights[16]])
    np.testing.assert_allclose(scores, expected[:, 1:] + popular, rtol=1e-5)


def test_who_is_new_to_the_scenario_is_reminded_longer_of_what_happened_elsewhere(log):
    view = View(CONFIG, ALL, UNTIL, log)
    long = Transitions(SETTINGS.model_copy(update={"newcomer_decay": 1.0}), True).fit(view)
    weights, users = by_loops(log, SETTINGS)
    states = states_of(had_of([[2, 7], [2, 20]], ITEMS))
    states.scenario_BL[0, -2:] = states.scenario_BL[1, -2] = 1
    popular = users[1:] * 1e-6 / users.max()
    expected = np.stack([weights[2] + weights[7], 0.9 * weights[2] + weights[20]])
    np.testing.assert_allclose(long.score(states, catalogue_of(ITEMS)), expected[:, 1:] + popular, rtol=1e-5)


def test_alone_neither_learns_from_other_scenarios_nor_sees_them(log):
    own = log.of_scenario(SMALL)
    alone = Transitions(SETTINGS)
    fitted = alone.fit(View(CONFIG, SMALL, UNTIL, log))
    again = alone.fit(View(CONFIG, SMALL, UNTIL, own))
    assert (fitted.weights != again.weights).nnz == 0
    states = states_of(had_of([[16, 18, 20]], ITEMS))
    mixed = states_of(had_of([[2, 16, 18, 20]], ITEMS))
    mixed.scenario_BL[0, -4] = 1
    np.testing.assert_array_equal(fitted.score(states, catalogue_of(ITEMS)), fitted.score(mixed, catalogue_of(ITEMS)))


def test_it_predicts_what_always_comes_next_and_prefers_forth_to_back():
    # Everybody walks a piece of the same circle 0, 1, ..., 19.
    events = [
        (user, (user + step) % 20, SMALL, UNTIL - dt.timedelta(days=5 - step))
        for user in range(20)
        for step in range(5)
    ]
    walk = interactions_of(events, 20)
    fitted = Transitions(Settings()).fit(View(CONFIG, SMALL, UNTIL, walk))
    scores = fitted.score(states_of(had_of([[5], [13]], 20)), catalogue_of(20))
    assert (scores.argmax(axis=1) + 1).tolist() == [6, 14]
    assert scores[0, 5] > scores[0, 3] > 0


def test_without_a_history_it_is_popularity(log):
    fitted = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, log))
    scores = fitted.score(states_of(had_of([[]], ITEMS)), catalogue_of(ITEMS))
    counts = np.bincount(log.item, minlength=ITEMS + 1)[1:]
    assert np.array_equal(np.argsort(-scores[0], kind="stable"), np.argsort(-counts, kind="stable"))


def test_only_the_strongest_neighbours_are_kept_where_asked(log):
    settings = SETTINGS.model_copy(update={"neighbours": 3})
    full = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, log)).weights.toarray()
    few = Transitions(settings, True).fit(View(CONFIG, ALL, UNTIL, log)).weights.toarray()
    assert ((few > 0).sum(axis=1) <= 3).all()
    np.testing.assert_array_equal(np.sort(full, axis=1)[:, -3:], np.sort(few, axis=1)[:, -3:])


def test_events_after_which_nobody_has_the_item_do_not_count(log):
    had = np.arange(len(log)) % 3 > 0
    some = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, replace(log, had=had)))
    fewer = replace(log, **{name: getattr(log, name)[had] for name in ("user", "item", "scenario", "ts", "day", "had")})
    again = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, fewer))
    np.testing.assert_array_equal(some.weights.toarray(), again.weights.toarray())


def test_nothing_to_learn_from_scores_nothing():
    nobody = interactions_of([], ITEMS)
    fitted = Transitions(SETTINGS, True).fit(View(CONFIG, ALL, UNTIL, nobody))
    assert not fitted.score(states_of(had_of([[3]], ITEMS)), catalogue_of(ITEMS)).any()


def test_saved_and_loaded_it_scores_the_same(log, tmp_path):
    fitted = Transitions(SETTINGS).fit(View(CONFIG, SMALL, UNTIL, log))
    save_fitted(fitted, tmp_path / "one", {})
    loaded = load_fitted(tmp_path / "one")
    assert isinstance(loaded, TransitionsFitted)
    states = states_of(had_of([[16, 18, 20], []], ITEMS))
    np.testing.assert_array_equal(loaded.score(states, catalogue_of(ITEMS)), fitted.score(states, catalogue_of(ITEMS)))


def test_they_compete_where_configured():
    names = [one.name for one in all_simple(config_of("contenders.transitions={window: 4}"))]
    assert [name for name in names if name.startswith("transitions")] == ["transitions", "transitions_across"]
    assert not [one.name for one in all_simple(CONFIG) if one.name.startswith("transitions")]
