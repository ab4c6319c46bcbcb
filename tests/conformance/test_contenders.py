"""What every contender keeps, whatever it is: one suite, on a checkerboard with a known answer."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import torch
from tests.boards import (
    BIG,
    SMALL,
    UNTIL,
    catalogue_of,
    checkerboard,
    colours_of,
    config_of,
    had_of,
    interactions_of,
    states_of,
    words_of,
)

from landbridge.config.associations import Candidates
from landbridge.contenders.base import ALL, Fitted, View
from landbridge.contenders.folder import load_fitted, save_fitted, top_k
from landbridge.contenders.network import NetworkFitted
from landbridge.contenders.reserve import ReserveFitted
from landbridge.contenders.simple import all_simple
from landbridge.feed.associated import Associated
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes

ITEMS, USERS = 24, 24
CONFIG = config_of(
    "contenders.ease.regularization=5",
    "contenders.item_item.neighbours=12",
    "contenders.als={factors: 6, iterations: 6}",
    "contenders.content={}",
    "associations={attributes: [title], taken: {shrinkage: 1}}",
    "contenders.associations={}",
    "contenders.reserve={known: item_item, new: content}",
    "contenders.stack={parts: [item_item_across, popularity_across]}",
)
SIMPLE = {contender.name: contender for contender in all_simple(CONFIG)}
PERSONAL = [name for name in SIMPLE if "popularity" not in name and "trend" not in name]
BOARD = checkerboard(USERS, ITEMS) + checkerboard(USERS, ITEMS, BIG, first_user=100)


def fit(name, events=BOARD, until=UNTIL, scope=SMALL) -> Fitted:
    return fit_on(name, interactions_of(events, ITEMS), until, scope)


def fit_on(name, interactions, until=UNTIL, scope=SMALL) -> Fitted:
    contender = SIMPLE[name]
    texts = {"words": words_of(ITEMS), "attributes": {"title": colours_of(ITEMS)}}
    return contender.fit(View(CONFIG, ALL if contender.pooled else scope, until, interactions, **texts))


def network(*overrides, **associated) -> NetworkFitted:
    """A pair of networks that has learned nothing: the laws hold for it as well."""
    shape = {"items": ITEMS + 1, "scenarios": 3, "types": 2, "user_features": 4, "item_features": 6}
    sizes = Sizes.of(config_of(*overrides), **shape)
    return NetworkFitted(Networks.new(sizes, seed=3), own_only=False, **associated)


def associating_network() -> NetworkFitted:
    """The same with a ranker that reads associations and candidates that come from them."""
    made = network(
        "associations={attributes: [title]}",
        "ranker.associations=true",
        associated=Associated(fit("associations").kinds),
        candidates=Candidates(retriever=8, associations=5),
    )
    with torch.no_grad():
        made.networks.ranker.plain_associations += 0.5
    return made


@pytest.fixture(scope="module", params=[*SIMPLE, "network", "associating network"])
def fitted(request) -> Fitted:
    made = {"network": network, "associating network": associating_network}
    return made[request.param]() if request.param in made else fit(request.param)


@pytest.fixture(scope="module")
def states():
    own = interactions_of(checkerboard(USERS, ITEMS), ITEMS)
    return states_of(own.matrix())


@pytest.fixture(scope="module")
def catalogue():
    return catalogue_of(ITEMS)


def test_scores_are_finite_and_have_the_shape_of_the_batch(fitted, states, catalogue):
    scores = fitted.score(states, catalogue)
    assert scores.shape == (USERS, ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_a_row_does_not_depend_on_its_batch_mates(fitted, states, catalogue):
    rows = np.array([5, 2, 19])
    together = fitted.score(states, catalogue)[rows]
    np.testing.assert_allclose(fitted.score(states.take(rows), catalogue), together, rtol=1e-5, atol=1e-6)


def test_a_score_does_not_depend_on_the_rest_of_the_catalogue(fitted, states, catalogue):
    if isinstance(fitted, ReserveFitted):
        pytest.skip("its scores are places in the list of this catalogue")
    some = catalogue_of(ITEMS)
    chosen = np.array([1, 4, 5, 20])
    part = type(some)(some.scenario, some.items[chosen], some.feature_CG[chosen])
    whole = fitted.score(states, catalogue)[:, chosen]
    np.testing.assert_allclose(fitted.score(states, part), whole, rtol=1e-5, atol=1e-6)


def test_a_second_stage_scores_the_items_it_is_asked_about(fitted, states, catalogue):
    index = np.tile(np.array([3, 0, 7]), (USERS, 1))
    scores = fitted.rescore(states, catalogue, index)
    chance = fitted.probability(states, catalogue, index)
    if scores is not None:
        turned = fitted.rescore(states, catalogue, index[:, ::-1].copy())
        np.testing.assert_allclose(turned[:, ::-1], scores, rtol=1e-5, atol=1e-6)
    if chance is not None:
        assert ((chance >= 0) & (chance <= 1)).all()


def test_the_saved_one_scores_alike_and_nothing_is_pickled(fitted, states, catalogue, tmp_path):
    save_fitted(fitted, tmp_path / "it", {"crosses": False})
    again = load_fitted(tmp_path / "it")
    np.testing.assert_array_equal(again.score(states, catalogue), fitted.score(states, catalogue))
    for file in (one for one in (tmp_path / "it").rglob("*") if one.is_file()):
        assert file.suffix in {".npy", ".json", ".safetensors"}
        if file.suffix == ".npy":
            np.load(file, allow_pickle=False)


def test_lists_hold_distinct_items_that_the_user_lacks_best_first(fitted, states, catalogue):
    items, scores = top_k(fitted, states, catalogue, k=10, pool=15)
    for row in range(USERS):
        assert len(set(items[row])) == 10
        assert not set(items[row]) & set(states.had[row].indices)
        assert (np.diff(scores[row]) <= 0).all()


def test_users_nobody_knows_are_scored_and_alike(fitted, catalogue):
    scores = fitted.score(states_of(had_of([[], []], ITEMS)), catalogue)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)


@pytest.mark.parametrize("name", SIMPLE)
def test_items_nobody_had_score_zero(name):
    somebody = states_of(had_of([[1, 3], [ITEMS + 2]], ITEMS + 5))
    scores = fit(name).score(somebody, catalogue_of(ITEMS + 5))
    assert not scores[:, ITEMS:].any()
    assert scores[0, :ITEMS].any()


@pytest.mark.parametrize("name", PERSONAL)
def test_the_item_missing_from_a_users_colour_comes_first(name, states, catalogue):
    items, _ = top_k(fit(name), states, catalogue, k=1, pool=1)
    np.testing.assert_array_equal(items[:, 0], np.arange(1, ITEMS + 1))


@pytest.mark.parametrize("name", SIMPLE)
def test_the_order_of_events_and_their_repetition_change_nothing(name, states, catalogue):
    again = fit_on(name, interactions_of(BOARD[::-1] + BOARD[:7], ITEMS))
    np.testing.assert_array_equal(again.score(states, catalogue), fit(name).score(states, catalogue))


@pytest.mark.parametrize("name", SIMPLE)
def test_only_what_crosses_learns_from_other_scenarios(name, states, catalogue):
    other = [(500 + user, item, BIG, UNTIL) for user in range(6) for item in (0, 3, 5)]
    same = np.array_equal(fit(name, BOARD + other).score(states, catalogue), fit(name).score(states, catalogue))
    assert same is not SIMPLE[name].crosses


@pytest.mark.parametrize("name", SIMPLE)
def test_events_after_which_a_user_has_nothing_teach_nothing(name, states, catalogue):
    clicks = [(300, 2, SMALL, UNTIL), (301, 3, BIG, UNTIL)]
    again = fit_on(name, interactions_of(BOARD + clicks, ITEMS, [True] * len(BOARD) + [False, False]))
    np.testing.assert_allclose(again.score(states, catalogue), fit(name).score(states, catalogue), rtol=1e-6)


@pytest.mark.parametrize("name", SIMPLE)
def test_a_scenario_without_events_can_be_fitted(name, states, catalogue):
    empty = fit(name, checkerboard(USERS, ITEMS, BIG), until=UNTIL + dt.timedelta(days=1))
    scores = empty.score(states, catalogue)
    assert np.isfinite(scores).all()
    assert SIMPLE[name].crosses or not scores.any()


def test_the_names_are_those_of_the_tables():
    alone = ["popularity", "popularity_recent", "item_item", "ease", "als", "content", "trend", "blend", "reserve"]
    across = [f"{name}_across" for name in alone]
    assert [contender.name for contender in all_simple(CONFIG)] == [
        *alone,
        *across[:-3],
        "associations",
        *across[-3:],
        "stack",
    ]
    assert [contender.crosses for contender in all_simple(CONFIG)] == [False] * 9 + [True] * 11
