"""Saved contenders, and the one top-k."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.boards import catalogue_of, had_of, states_of

from landbridge.contenders.base import ALL, Fitted
from landbridge.contenders.folder import (
    best,
    find_fitted,
    load_fitted,
    read_meta,
    save_fitted,
    scope_folder,
    scope_of,
    top_k,
)
from landbridge.contenders.popularity import PopularityFitted
from landbridge.errors import LakeError

POPULAR = PopularityFitted(np.array([1, 4], np.int32), np.array([3.0, 5.0], np.float32))


@dataclass(frozen=True)
class Table(Fitted):
    """Scores that are given; the second stage too."""

    kind = "table"
    two_stages = True
    first: np.ndarray
    second: np.ndarray | None = None

    def score(self, states, catalogue):
        return self.first[: len(states)]

    def rescore(self, states, catalogue, index_BK):
        return None if self.second is None else np.take_along_axis(self.second[: len(states)], index_BK, axis=1)

    def save(self, folder):
        raise NotImplementedError

    @classmethod
    def load(cls, folder):
        raise NotImplementedError


def naive(scores, had, k):
    """The k best of a row as a sort of pairs says."""
    order = sorted((-score, item) for item, score in enumerate(scores, 1) if item not in had)
    return [item for _, item in order[:k]]


def test_a_saved_contender_knows_its_kind_and_what_it_was_told(tmp_path):
    save_fitted(POPULAR, tmp_path / "popularity", {"contender": "popularity", "until": "2011-06-30"})
    assert read_meta(tmp_path / "popularity") == {
        "contender": "popularity",
        "kind": "popularity",
        "until": "2011-06-30",
    }
    again = load_fitted(tmp_path / "popularity")
    assert isinstance(again, PopularityFitted)
    np.testing.assert_array_equal(again.scores, POPULAR.scores)


def test_a_folder_is_complete_or_absent(tmp_path):
    """Saving that dies leaves the old folder, and what it left is not taken for a contender."""
    models = tmp_path / "fits" / "A" / "Germany"
    save_fitted(POPULAR, models / "popularity", {})
    with pytest.raises(NotImplementedError):
        save_fitted(Table(np.zeros((1, 1))), models / "popularity", {})
    with pytest.raises(NotImplementedError):
        save_fitted(Table(np.zeros((1, 1))), models / "ease", {})
    assert list(find_fitted(tmp_path, "A", "Germany")) == ["popularity"]
    assert load_fitted(models / "popularity").kind == "popularity"
    save_fitted(POPULAR, models / "ease", {})
    assert list(find_fitted(tmp_path, "A", "Germany")) == ["ease", "popularity"]


def test_what_is_no_contender_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(LakeError, match="is not a saved contender"):
        load_fitted(tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"kind": "oracle"}))
    with pytest.raises(LakeError, match="unknown kind 'oracle'; known: popularity, weights, blend"):
        load_fitted(tmp_path)


def test_pooled_contenders_serve_every_scenario(tmp_path):
    save_fitted(POPULAR, tmp_path / "fits" / "C" / scope_folder(ALL) / "popularity_across", {})
    save_fitted(POPULAR, tmp_path / "fits" / "C" / scope_folder("a/b c") / "popularity", {})
    assert list(find_fitted(tmp_path, "C", "a/b c")) == ["popularity", "popularity_across"]
    assert list(find_fitted(tmp_path, "C", "other")) == ["popularity_across"]
    assert [scope_of(scope_folder(scope)) for scope in (ALL, "a/b c", "EIRE")] == [ALL, "a/b c", "EIRE"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 5))
def test_top_k_is_a_sort_with_ties_by_item(seed, k, levels):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, levels, (4, 10)).astype(np.float32)
    had = [list(np.flatnonzero(draw.random(10) < 0.4) + 1) for _ in range(4)]
    items, found = top_k(Table(scores), states_of(had_of(had, 10)), catalogue_of(10), k, pool=3)
    for row in range(4):
        expected = naive(scores[row], had[row], k)
        assert items[row].tolist() == expected + [0] * (k - len(expected))
        assert found[row, : len(expected)].tolist() == [scores[row, item - 1] for item in expected]


def test_the_second_stage_orders_the_pool_and_nothing_else():
    first = np.array([[5, 4, 3, 2, 1]], np.float32)
    second = np.array([[0, 1, 9, 3, 100]], np.float32)
    items, scores = top_k(Table(first, second), states_of(had_of([[3]], 5)), catalogue_of(5), k=2, pool=3)
    assert items.tolist() == [[4, 2]]
    assert scores.tolist() == [[3.0, 1.0]]


def test_lists_are_shorter_where_the_catalogue_is():
    items, scores = top_k(Table(np.ones((1, 3), np.float32)), states_of(had_of([[2]], 3)), catalogue_of(3), k=4, pool=4)
    assert items.tolist() == [[1, 3, 0, 0]]
    assert scores.tolist() == [[1.0, 1.0, 0.0, 0.0]]
    empty, _ = top_k(Table(np.ones((1, 0), np.float32)), states_of(had_of([[2]], 3)), catalogue_of(0), k=2, pool=4)
    assert empty.tolist() == [[0, 0]]
    none, _ = top_k(Table(np.ones((0, 3), np.float32)), states_of(had_of([], 3)[:0]), catalogue_of(3), k=2, pool=4)
    assert none.shape == (0, 2)


def test_items_that_a_user_has_and_the_catalogue_lacks_are_no_trouble():
    items, _ = top_k(
        Table(np.array([[1, 2]], np.float32)), states_of(had_of([[1, 9]], 9)), catalogue_of(2), k=2, pool=2
    )
    assert items.tolist() == [[2, 0]]


def test_best_is_a_stable_sort_cut():
    scores = np.random.default_rng(0).integers(0, 4, (50, 33)).astype(np.float32)
    np.testing.assert_array_equal(best(scores, 7), np.argsort(-scores, axis=1, kind="stable")[:, :7])
