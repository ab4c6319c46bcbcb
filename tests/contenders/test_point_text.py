"""The blend with text: who liked a series likes its film, and nothing but their texts says which film that is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from tests.points import config_of

from landbridge.config.neighbours import Levels
from landbridge.config.neighbours import Text as Settings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.first import First
from landbridge.contenders.pointwise.simple import known_pointwise
from landbridge.contenders.pointwise.text import Text
from landbridge.errors import ConfigError
from landbridge.feed.rows import Coding, Rows
from landbridge.feed.vectors import Vectors

USERS, OWN, COMMON, COLD = 120, 5, 60, 20
"""Everybody has some stories of his own; of the common ones the first films are new in the test."""
STORIES = COMMON + USERS * OWN
"""A story is a series (scenario ``series``) and a film (``film``)."""
CONFIG = config_of(
    "pointwise.contenders.memory.text={neighbours: 5}",
    "pointwise.contenders.memory.folds=3",
    "encode={text: title}",
    "transfer.source=series",
)
KNOWN = known_pointwise(CONFIG)


def texts() -> tuple[tuple[str, ...], Vectors]:
    """The names of all items, and their vectors: about the same for the two items of a story."""
    draw = np.random.default_rng(0)
    story_SD = draw.standard_normal((STORIES, 16))
    names = np.array([f"{kind}{story:03d}" for kind in ("film", "series") for story in range(STORIES)])
    vector_MD = np.concatenate([story_SD, story_SD]) + draw.standard_normal((2 * STORIES, 16)) * 0.1 + 2
    return tuple(names.tolist()), Vectors(np.arange(1, len(names) + 1, dtype=np.int32), vector_MD.astype(np.float32))


def view_of(vectors: bool = True) -> tuple[PointView, Rows]:
    """Who likes a series likes its film, by chance which; judged are common films of which a user knows the series.

    In training nobody has both of a common story, so nothing that users do together holds its two items together.
    """
    draw = np.random.default_rng(1)
    found = []
    for user in range(USERS):
        own = COMMON + user * OWN + np.arange(OWN)
        series, film = draw.permutation(COMMON)[:6], draw.permutation(np.arange(COLD, COMMON))[:6]
        likes_S = draw.random(STORIES) < 0.5
        seen = [("series", "train", [*own, *series]), ("film", "test", series[:3])]
        seen.append(("film", "train", [*own, *np.setdiff1d(film, series)]))
        for kind, part, stories in seen:
            found += [(f"u{user}", f"{kind}{story:03d}", kind, float(likes_S[story]), part) for story in stories]
    names = ("user_id", "item_id", "scenario", "label", "part")
    columns = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
    table = pa.table({"example_id": [f"r{number:05d}" for number in range(len(found))], **columns})
    train = table.filter(pa.array([part == "train" for part in columns["part"]]))
    known, vector = texts()
    coding = Coding.fit(train, (), (), (), known if vectors else ())
    test = Rows.of(table.filter(pa.array([part == "test" for part in columns["part"]])), coding)
    return PointView(CONFIG, "*", Rows.of(train, coding), None, 0, vector if vectors else None), test


VIEW, TEST = view_of()


@pytest.fixture(scope="module")
def fitted():
    return KNOWN["blend_text_across"].fit(VIEW)


def auc(fitted, rows):
    return roc_auc_score(rows.label_N, fitted.probability(rows))


def test_with_text_the_film_of_a_liked_series_is_found_and_without_it_is_not(fitted):
    assert auc(fitted, TEST) > 0.9
    assert auc(KNOWN["blend_across"].fit(VIEW), TEST) < 0.65


def test_a_film_that_nobody_has_seen_is_found_by_its_text(fitted):
    new = TEST.take(TEST.item_N == 0)
    assert len(new) > 3 * COLD
    assert auc(fitted, new) > 0.9


def test_text_alone_within_a_scenario_says_nothing_of_the_other(fitted):
    alone = replace(VIEW, scope="film")
    assert auc(KNOWN["blend_text"].fit(alone), TEST) < 0.65 < auc(fitted, TEST)


def test_it_is_saved_and_loaded_equal(fitted, tmp_path):
    fitted.save(tmp_path)
    VIEW.rows.coding.save(tmp_path / "coding.json")
    coding = Coding.load(tmp_path / "coding.json")
    assert coding == VIEW.rows.coding
    np.testing.assert_array_equal(type(fitted).load(tmp_path).probability(TEST), fitted.probability(TEST))


def test_the_nearest_texts_count_by_their_cosine_and_an_item_never_for_itself():
    part = First.fit(VIEW.rows, [Text(Settings(neighbours=5, power=1.0), VIEW.vectors)], Levels()).parts[0]
    names, item = VIEW.rows.coding.texts, VIEW.rows.coding.values["item"]
    near = part.near_IV.toarray()
    assert near.shape == (len(item) + 1, len(names) + 1)
    assert not near[:, 0].any()
    assert not near[0].any()
    assert (np.count_nonzero(near, axis=0)[1:] <= 5).all()
    assert not any(near[place + 1, names.index(name) + 1] for place, name in enumerate(item))
    best = {name: item[near[:, place + 1].argmax() - 1] for place, name in enumerate(names)}
    series = [name for name in item if name.startswith("series")]
    assert np.mean([best[name.replace("series", "film")] == name for name in series]) > 0.95


def test_a_row_of_the_history_is_asked_as_if_it_were_not_there(fitted):
    first = fitted.firsts.by_scenario[0]
    part = next(one for one in first.parts if one.kind == "text")
    row = VIEW.rows.take(np.array([7]))
    answers = first.past.answers
    rest = answers.take(np.arange(len(answers.user_P)) != answers.find(row)[0])
    whole, without = (First(replace(first.past, answers=one), (part,)).features(row) for one in (answers, rest))
    assert set(whole) == {"near_text.weight", "near_text.label"}
    for name, value in whole.items():
        np.testing.assert_allclose(value, without[name], rtol=1e-4, atol=1e-5)


def test_without_vectors_it_is_left_out_and_the_blend_is_what_it_was():
    view, test = view_of(vectors=False)
    assert "no text is encoded" in KNOWN["blend_text_across"].left_out(view)
    assert KNOWN["blend_text_across"].left_out(VIEW) is None
    plain = known_pointwise(config_of("pointwise.contenders.memory.folds=3"))
    assert [name for name in KNOWN if "text" in name] == ["blend_text", "blend_text_history", "blend_text_across"]
    assert not [name for name in plain if "text" in name]
    one, other = KNOWN["blend_across"].fit(VIEW), plain["blend_across"].fit(view)
    assert one.names == other.names
    np.testing.assert_array_equal(one.probability(TEST), other.probability(test))


def test_text_without_an_encoder_is_refused():
    with pytest.raises(ConfigError, match=r"there must be a section encode"):
        config_of("pointwise.contenders.memory.text={}")
