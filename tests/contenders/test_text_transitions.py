"""Transitions that near texts lend: by hand, and to an item that nobody has had."""

from __future__ import annotations

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.config.sequences import TextTransitions as Settings
from landbridge.config.sequences import Transitions as Steps
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.text_transitions import TextTransitions, nearest_texts
from landbridge.contenders.transitions import Transitions
from landbridge.contenders.weights import Decay
from landbridge.errors import ConfigError
from landbridge.feed.vectors import Vectors

ITEMS, COLD = 30, (7, 20)
"""Items are of three kinds, their id less one modulo three; two have never been had."""


def vectors_of(seed=0):
    """Items of a kind have about the same text."""
    draw = np.random.default_rng(seed)
    kinds_KD = draw.standard_normal((3, 8))
    vector_MD = kinds_KD[np.arange(ITEMS) % 3] * 3 + draw.standard_normal((ITEMS, 8)) * 0.3
    return Vectors(np.arange(1, ITEMS + 1, dtype=np.int32), vector_MD.astype(np.float32))


def view_of(scope=SMALL, vectors=None):
    """After an item of the first kind comes one of the second."""
    draw, events = np.random.default_rng(1), []
    warm = [item for item in range(ITEMS) if item + 1 not in COLD]
    for user in range(80):
        first, second = (draw.choice([item for item in warm if item % 3 == kind]) for kind in (0, 1))
        home = SMALL if user % 2 else BIG
        events += [(user, int(first), home, UNTIL.replace(day=1)), (user, int(second), home, UNTIL)]
    return View(config_of(), scope, UNTIL, interactions_of(events, ITEMS), vectors=vectors)


def contender(across=False, **settings):
    return TextTransitions(Settings(**settings), Transitions(Steps(), across))


def test_an_item_that_nobody_has_had_follows_what_its_likes_follow():
    fitted = contender(neighbours=5).fit(view_of(vectors=vectors_of()))
    states = states_of(had_of([[1], [4]], ITEMS))
    scores = fitted.score(states, catalogue_of(ITEMS))
    second, third = COLD[1] - 1, COLD[0] - 1
    assert (scores[:, second] > 0).all()  # of the second kind
    assert (scores[:, second] > scores[:, third] * 2).all()  # of the first one
    assert not Transitions(Steps()).fit(view_of()).score(states, catalogue_of(ITEMS))[:, [second, third]].any()


def test_scores_are_what_the_transitions_say_of_the_lenders_by_their_cosines():
    view = view_of(vectors=vectors_of())
    fitted = contender(neighbours=4, power=2.0).fit(view)
    lent = Transitions(Steps()).fit(view)
    states = states_of(had_of([[1, 5], [9]], ITEMS))
    said_BM = lent.said(states, Decay(0.9, 0.9, 0.9))
    weights_VM = fitted.lenders.toarray()
    expected = said_BM @ weights_VM.T
    np.testing.assert_allclose(fitted.score(states, catalogue_of(ITEMS)), expected, atol=1e-4)
    assert (fitted.lenders.getnnz(axis=1) <= 4).all()
    assert not weights_VM[lent.items - 1, np.arange(len(lent.items))].any()  # none lends to itself


def test_the_nearest_are_those_of_all_cosines():
    draw = np.random.default_rng(4)
    white = draw.standard_normal((50, 6)).astype(np.float32)
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    lenders = np.flatnonzero(draw.random(50) < 0.6)
    found = nearest_texts(white, lenders, 7).toarray()
    for row in range(50):
        cosine = white[lenders] @ white[row]
        cosine[lenders == row] = 0
        best = np.argsort(-cosine)[:7]
        expected = np.zeros(len(lenders))
        expected[best] = np.maximum(cosine[best], 0)
        np.testing.assert_allclose(found[row], expected, atol=1e-6)
    assert nearest_texts(white, np.empty(0, np.intp), 7).shape == (50, 0)


def test_alone_knows_its_own_scenario_and_one_fit_across_serves_all():
    alone, across = contender(), contender(across=True)
    assert (alone.name, alone.crosses, alone.pooled) == ("text_transitions", False, False)
    assert (across.name, across.crosses, across.pooled) == ("text_transitions_across", True, True)
    view = view_of(vectors=vectors_of())
    assert alone.fit(view).lent.users_M.sum() < across.fit(view_of(ALL, vectors_of())).lent.users_M.sum()


def test_saved_and_loaded_it_scores_the_same(tmp_path):
    fitted = contender(across=True).fit(view_of(ALL, vectors_of()))
    save_fitted(fitted, tmp_path / "text_transitions_across", {})
    loaded = load_fitted(tmp_path / "text_transitions_across")
    states = states_of(had_of([[1, 5], []], ITEMS))
    np.testing.assert_array_equal(loaded.score(states, catalogue_of(ITEMS)), fitted.score(states, catalogue_of(ITEMS)))


def test_without_vectors_or_with_too_many_it_is_left_out():
    assert contender().left_out(view_of()) == f"text_transitions is left out for {SMALL}: no text is encoded"
    said = contender(max_items=29).left_out(view_of(vectors=vectors_of()))
    assert said is not None
    assert "30 items have a text, more than contenders.text_transitions.max_items 29" in said


def test_it_needs_what_it_is_made_of():
    with pytest.raises(ConfigError, match="text_transitions reads transitions and text: add both to contenders"):
        config_of("contenders.text_transitions={neighbours: 3}")
