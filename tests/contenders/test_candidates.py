"""Candidates that go with what a user has stand beside the retriever's nearest."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from tests.boards import catalogue_of, config_of, had_of, states_of, vocabulary_of

from landbridge.config.associations import Candidates
from landbridge.contenders.folder import best, load_fitted, save_fitted, top_k
from landbridge.contenders.network import NetworkFitted
from landbridge.feed.associated import Associated
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes

ITEMS = 40
STATES = states_of(had_of([[1, 2, 3], [4, 5], []], ITEMS))


def fitted_of(near, candidates, kinds=()):
    size = vocabulary_of(ITEMS).size
    shape = {"items": size("item_id"), "scenarios": 3, "types": 2, "user_features": 4, "item_features": 6}
    overrides = ("associations={attributes: [title]}", f"ranker.associations=[{', '.join(kinds)}]")
    networks = Networks.new(Sizes.of(config_of(*overrides), **shape), seed=3)
    return NetworkFitted(networks, False, Associated({"title": near}), candidates)


def goes_with(*pairs):
    """One author's book goes with another: pairs of what a user has and what goes with it, with a weight."""
    row, col, weight = zip(*pairs, strict=True)
    return sp.csr_matrix((np.array(weight, np.float32), (row, col)), shape=(ITEMS + 1, ITEMS + 1))


def worst_of(fitted, count):
    """The ids that the retriever puts last for the first user."""
    scores = fitted.score(STATES, catalogue_of(ITEMS))[0]
    return [int(index) + 1 for index in np.argsort(scores)[:count] if index + 1 not in (1, 2, 3)]


def test_what_the_retriever_does_not_return_reaches_the_list():
    plain = fitted_of(goes_with((1, 9, 0.0)), None)
    new, other, had = worst_of(plain, 8)[0], worst_of(plain, 8)[1], 2
    near = goes_with((1, new, 0.9), (3, other, 0.5), (1, had, 2.0))
    catalogue = catalogue_of(ITEMS)
    without, _ = top_k(plain, STATES, catalogue, k=6, pool=6)
    assert not {new, other} & set(without[0])
    both, _ = top_k(fitted_of(near, Candidates(retriever=4, associations=2)), STATES, catalogue, k=6, pool=40)
    assert {new, other} <= set(both[0])
    assert set(both[0]) - {new, other} == {item + 1 for item in _nearest(plain, 4)}
    one, _ = top_k(fitted_of(near, Candidates(retriever=4, associations=1)), STATES, catalogue, k=5, pool=40)
    assert (new in one[0], other in one[0]) == (True, False)
    assert had not in both[0]
    assert all(len(set(row)) == 6 for row in both)


def _nearest(fitted, count):
    scores = fitted.score(STATES, catalogue_of(ITEMS))[:1].copy()
    scores[0, [0, 1, 2]] = -np.inf
    return {int(index) for index in best(scores, count)[0]}


def test_whom_nothing_goes_with_gets_the_retrievers_nearest():
    fitted = fitted_of(goes_with((1, 9, 0.5)), Candidates(retriever=4, associations=3))
    plain = fitted_of(goes_with((1, 9, 0.5)), None)
    for rows in ([1], [2]):
        alike = [top_k(one, STATES.take(np.array(rows)), catalogue_of(ITEMS), k=7, pool=7) for one in (fitted, plain)]
        np.testing.assert_array_equal(alike[0][0], alike[1][0])


def test_a_list_longer_than_its_candidates_is_filled_up():
    fitted = fitted_of(goes_with((1, 9, 0.5)), Candidates(retriever=2, associations=1))
    items, _ = top_k(fitted, STATES, catalogue_of(ITEMS), k=10, pool=10)
    assert (items > 0).all()
    assert len(set(items[0])) == 10


@pytest.mark.parametrize("kinds", [(), ("title",)], ids=["candidates", "features too"])
def test_it_is_saved_and_loaded_equal_and_saved_again_as_links(kinds, tmp_path):
    fitted = fitted_of(goes_with((1, 9, 0.5), (4, 7, 0.1)), Candidates(retriever=3, associations=2), kinds)
    save_fitted(fitted, tmp_path / "fit", {"contender": "fine_tune"})
    again = load_fitted(tmp_path / "fit")
    save_fitted(again, tmp_path / "copy", {"contender": "fine_tune"})
    for loaded in (again, load_fitted(tmp_path / "copy")):
        for found, expected in zip(
            top_k(loaded, STATES, catalogue_of(ITEMS), 6, 6), top_k(fitted, STATES, catalogue_of(ITEMS), 6, 6),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_array_equal(found, expected)
    file = "kind-title/cells.data.npy"
    assert (tmp_path / "fit" / file).samefile(tmp_path / "copy" / file)
