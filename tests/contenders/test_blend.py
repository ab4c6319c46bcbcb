"""The blend: its formula, its weights against brute force, and that it learns nothing from what it is judged on."""

import datetime as dt

import numpy as np
import pytest
import scipy.optimize
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, interactions_of, states_of

from landbridge.contenders.base import ALL, View
from landbridge.contenders.blend import Blend
from landbridge.contenders.ease import Ease
from landbridge.contenders.held_out import choices, earlier
from landbridge.contenders.logit import Choices, fit_weights, log_loss
from landbridge.contenders.popularity import Popularity
from landbridge.contenders.simple import all_simple

ITEMS = 20
CONFIG = config_of()
OWN, EVERY, RECENT = Popularity(False), Popularity(True), Popularity(True, 10)


def log_of(days: int = 60):
    """Users of both scenarios; what is bought in the last days rises towards the high items."""
    draw = np.random.default_rng(1)
    events = []
    for user in range(150):
        scenario = BIG if user < 110 else SMALL
        for _ in range(draw.integers(2, 7)):
            ago = int(draw.integers(days))
            item = int(draw.integers(ITEMS // 2, ITEMS) if ago < 10 else draw.integers(0, 3 * ITEMS // 4))
            events.append((user, item, scenario, UNTIL - dt.timedelta(days=ago)))
    return interactions_of(events, ITEMS)


LOG = log_of()


def score(contender, scope=ALL, scenario=2):
    return contender.fit(View(CONFIG, scope, UNTIL, LOG)).score(
        states_of(LOG.matrix(), scenario), catalogue_of(ITEMS, scenario)
    )


def test_a_blend_is_the_weighted_sum_of_the_logarithms_of_its_parts():
    ease = Ease(5.0, 100, 1.0)
    blended = score(Blend("blend", True, ((ease, 0.5), (EVERY, -1.5)), floor=0.1))
    expected = 0.5 * np.log1p(np.maximum(score(ease), 0) / 0.1) - 1.5 * np.log1p(score(EVERY))
    np.testing.assert_allclose(blended, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("scenario", "scope"), [(1, BIG), (2, SMALL)])
def test_what_a_part_knows_of_one_scenario_speaks_there_alone(scenario, scope):
    blended = score(Blend("blend", True, ((OWN, 1.0),)), ALL, scenario)
    np.testing.assert_allclose(blended, np.log1p(score(OWN, scope, scenario)), rtol=1e-6)


def test_a_part_that_stands_fitted_beside_the_blend_is_taken_as_it_is():
    asked = []

    def found(contender, scope):
        asked.append((contender, scope))
        return beside if contender == EVERY.name else None

    view = View(CONFIG, SMALL, UNTIL, LOG, found=found)
    beside = EVERY.fit(view)
    every, recent = Blend("blend", True, ((EVERY, 1.0), (RECENT, 1.0))).fit(view).parts
    assert list(every.fits.values()) == [beside]
    assert isinstance(next(iter(recent.fits.values())), type(beside))
    assert asked == [(EVERY.name, ALL), (RECENT.name, ALL)]
    assert earlier(view, 10).found is None


def choices_of(seed: int, users: int = 40, most: int = 2) -> Choices:
    draw = np.random.default_rng(seed)
    parts = draw.standard_normal((3, users, 9)).astype(np.float32)
    free = draw.random((users, 9)) < 0.8
    free[:, :2] = True
    chosen = np.zeros_like(free)
    for row in range(users):
        wish = np.where(free[row], parts[0, row] * 2 - parts[1, row] + draw.gumbel(size=9), -np.inf)
        chosen[row, np.argsort(-wish)[: 1 + row % most]] = True
    return Choices(parts, free, chosen)


def test_the_log_loss_is_that_of_the_definition_and_its_slope_of_differences():
    some, weights = choices_of(0), np.array([0.7, -0.2, 0.4])
    value, slope = log_loss(some, weights)
    expected = 0.0
    for row in range(len(some)):
        scores = weights @ some.parts_PBC[:, row]
        logs = scores - np.log(np.exp(scores[some.open_BC[row]]).sum())
        expected -= logs[some.chosen_BC[row]].mean()
    assert value == pytest.approx(expected, rel=1e-5)
    numeric = scipy.optimize.approx_fprime(weights, lambda w: log_loss(some, w)[0], 1e-3)
    np.testing.assert_allclose(slope, numeric, rtol=0.02, atol=0.05)


def test_weights_are_found_and_without_choices_they_are_those_given():
    given = np.array([0.0, 0.0, 0.0])
    found = fit_weights([choices_of(seed, 300, most=1) for seed in range(4)], given, prior=1.0)
    np.testing.assert_allclose(found, [2.0, -1.0, 0.0], atol=0.35)
    np.testing.assert_array_equal(fit_weights([], given + 3, 1.0), given + 3)
    np.testing.assert_allclose(fit_weights([choices_of(0, 3)], given + 3, 1e6), given + 3, atol=1e-3)


def test_the_fitted_weights_rank_what_comes_better_than_the_given_ones():
    parts = ((RECENT, 1.0), (EVERY, 1.0))
    given = Blend("trend", True, parts).fit(View(CONFIG, ALL, UNTIL, LOG)).parts
    fitted = Blend("trend", True, parts, held_out_days=8, prior=1.0).fit(View(CONFIG, ALL, UNTIL, LOG)).parts
    assert [part.weight for part in given] == [1.0, 1.0]
    assert fitted[1].weight < 0 < fitted[0].weight


def test_what_is_held_out_is_what_users_took_for_the_first_time_and_no_fit_saw_it():
    view = View(CONFIG, ALL, UNTIL, LOG)
    before = earlier(view, 8)
    assert before.until == UNTIL - dt.timedelta(days=8)
    assert before.interactions.day.max() <= (before.until - dt.date(1970, 1, 1)).days
    groups = choices(view, before, lambda states, catalogue: [np.zeros((1, len(catalogue.items)), np.float32)])
    expected = 0
    for scenario in (1, 2):
        own = LOG.scenario == scenario
        early = LOG.day <= (before.until - dt.date(1970, 1, 1)).days
        sold = set(LOG.item[own & early].tolist())
        for user in set(LOG.user[own & early].tolist()):
            had = set(LOG.item[(LOG.user == user) & early].tolist())
            expected += len((set(LOG.item[own & (LOG.user == user) & ~early].tolist()) - had) & sold)
    assert sum(int(group.chosen_BC.sum()) for group in groups) == expected > 0
    assert all((group.chosen_BC <= group.open_BC).all() for group in groups)


def test_a_blend_without_one_of_its_parts_is_left_out_and_says_why():
    blend = Blend("blend", True, ((Ease(5.0, ITEMS - 1, 1.0), 1.0), (EVERY, 1.0)))
    reason = blend.left_out(View(CONFIG, ALL, UNTIL, LOG))
    assert reason.startswith("blend_across is left out for *, because ease_across is left out")
    assert "max_items 19" in reason


def test_a_blend_has_the_weights_of_the_configuration_and_without_parts_does_not_compete():
    changed = config_of("contenders.trend.across={ease_across: 2.0}", "contenders.blend.floor=0.5")
    blends = {one.name: one for one in all_simple(changed) if isinstance(one, Blend)}
    assert set(blends) == {"trend", "trend_across", "blend", "blend_across"}
    assert {part.name: weight for part, weight in blends["trend_across"].parts} == {"ease_across": 2.0}
    assert len(blends["blend_across"].parts) == 5
    without = config_of("contenders.blend.alone={}", "contenders.blend.across={}")
    assert not [one.name for one in all_simple(without) if one.name.startswith("blend")]


def test_a_part_on_another_scale_has_a_floor_of_its_own():
    changed = config_of(
        "contenders.content={columns: [title]}",
        "contenders.blend.across={ease_across: 1.0, content_across: 0.3}",
        "contenders.blend.floor=0.02",
        "contenders.blend.floors={content_across: 0.4}",
    )
    blend = next(one for one in all_simple(changed) if one.name == "blend_across")
    floors = {part.name: blend._floor(part) for part, _ in blend.parts}
    assert (floors["ease_across"], floors["content_across"], floors["popularity"]) == (0.02, 0.4, 1.0)
