"""Items whose texts mean the same: whitened cosines, by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.config.science import Text as Settings
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.text import Text
from landbridge.errors import ConfigError
from landbridge.feed.vectors import Vectors
from landbridge.feed.whitening import whitening

ITEMS, WIDTH = 40, 4


def vectors_of(known=ITEMS, seed=1):
    """Vectors that lean to one side and vary the most in one direction, as those of encoders do."""
    draw = np.random.default_rng(seed)
    vector_MD = draw.standard_normal((known, WIDTH)) * [5, 1, 1, 0.5] + 3
    return Vectors(np.arange(1, known + 1, dtype=np.int32), vector_MD.astype(np.float32))


def view_of(vectors, scope=SMALL):
    draw = np.random.default_rng(0)
    events = [
        (user, int(item), SMALL if user % 2 else BIG, UNTIL)
        for user in range(60)
        for item in draw.choice(ITEMS, 5, replace=False)
    ]
    return View(config_of(), scope, UNTIL, interactions_of(events, ITEMS), vectors=vectors)


def test_whitened_vectors_have_no_mean_and_one_spread_everywhere():
    vector_MD = vectors_of(4000).vector_MD
    mean_D, turn_DD = whitening(vector_MD)
    white_MD = (vector_MD - mean_D) @ turn_DD
    np.testing.assert_allclose(white_MD.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(white_MD.T), np.eye(WIDTH), atol=0.15)  # but for what is not stretched


def test_few_vectors_stretch_no_direction_that_they_lack():
    rng = np.random.default_rng(3)
    seen_MD, new_MD = (rng.normal(size=(count, 64)).astype(np.float32) for count in (12, 200))
    mean_D, turn_DD = whitening(seen_MD)
    longest, usual = (np.linalg.norm((one - mean_D) @ turn_DD, axis=1) for one in (new_MD, seen_MD))
    assert np.median(longest) < 2 * np.median(usual)


def test_scores_are_cosines_with_what_was_bought_the_last_the_most():
    vectors = vectors_of()
    fitted = Text(Settings(decay=0.5)).fit(view_of(vectors))
    white = fitted.vector_MD.astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), 1, atol=1e-3)
    scores = fitted.score(states_of(had_of([[3, 7], []], ITEMS)), catalogue_of(ITEMS))
    np.testing.assert_allclose(scores[0], white @ (0.5 * white[2] + white[6]), atol=1e-3)
    assert not scores[1].any()


def test_an_item_that_nobody_had_is_scored_by_its_text_and_one_without_a_vector_is_not():
    vectors = vectors_of(ITEMS - 1)
    seen = [(user, item, SMALL, UNTIL) for user in range(9) for item in range(20)]
    view = dataclasses.replace(view_of(vectors), interactions=interactions_of(seen, ITEMS))
    scores = Text(Settings()).fit(view).score(states_of(had_of([[3]], ITEMS)), catalogue_of(ITEMS))
    assert scores[0, ITEMS - 2] != 0
    assert scores[0, ITEMS - 1] == 0


def test_alone_it_reads_the_events_of_the_scenario_and_across_all():
    states = states_of(had_of([[3, 7]], ITEMS))
    states.scenario_BL[states.item_BL == 3] = 1
    own, both = (Text(Settings(), crosses).fit(view_of(vectors_of(), ALL)) for crosses in (False, True))
    both = dataclasses.replace(both, vector_MD=own.vector_MD)
    alone, across = (fitted.score(states, catalogue_of(ITEMS))[0] for fitted in (own, both))
    np.testing.assert_allclose(across - alone, 0.8 * own.vector_MD.astype("f4") @ own.vector_MD[2], atol=1e-3)


def test_it_is_saved_and_loaded_equal(tmp_path):
    fitted = Text(Settings(), True).fit(view_of(vectors_of(), ALL))
    save_fitted(fitted, tmp_path / "fit", {"contender": "text_across"})
    states, catalogue = states_of(had_of([[3, 7], [9]], ITEMS)), catalogue_of(ITEMS)
    loaded = load_fitted(tmp_path / "fit")
    np.testing.assert_array_equal(loaded.score(states, catalogue), fitted.score(states, catalogue))


def test_without_vectors_it_is_left_out_and_without_an_encoder_refused():
    assert "no text is encoded" in Text(Settings()).left_out(view_of(None))
    assert Text(Settings()).left_out(view_of(vectors_of())) is None
    with pytest.raises(ConfigError, match=r"there must be a section encode"):
        config_of("contenders.text={}")
