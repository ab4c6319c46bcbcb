"""The kinds of association between items: what each weighs, in one place for the table and for the contender.

`taken` and `alike` are plain arithmetic, so that columns of Spark and arrays of numpy go through the same line. Here
are also the kinds as matrices [V, V], V the size of the vocabulary and an item's id its place; row: what a user has,
column: what goes with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.associations import TAKEN, TEXT, Associations
from landbridge.contenders.base import View
from landbridge.contenders.item_item import top
from landbridge.contenders.text import whitened
from landbridge.feed.interactions import Interactions
from landbridge.feed.vectors import Vectors

BLOCK = 512
"""Items whose cosines with all others are in memory at once."""


def taken(both: Any, users: Any, others: Any, shrinkage: float) -> Any:
    """Return the cosine of two items over their users, shrunk where few took both.

    The shrinkage is that of Bell and Koren 2007, "Scalable collaborative filtering with jointly derived neighborhood
    interpolation weights", section 4.1.

    Parameters
    ----------
    both
        How many users took both items.
    users, others
        How many took the one, and the other.
    """
    return both / (users * others) ** 0.5 * (both / (both + shrinkage))


def alike(size: Any) -> Any:
    """Return what `size` items of one value weigh on each other: what an item is near to has length one together."""
    return 1.0 / (size - 1.0) ** 0.5


def homes(log: Interactions) -> NDArray[np.int32]:
    """Return of every item the scenario in which most users took it, ties by scenario id; 0 where nobody did. [V]."""
    kept, many = log.had & (log.item > 0), len(log.user_ids)
    scenarios = log.vocabulary.size("scenario")
    place = log.item[kept].astype(np.int64) * scenarios + log.scenario[kept]
    place, users = np.unique(np.unique(place * many + log.user[kept]) // max(many, 1), return_counts=True)
    item, scenario = np.divmod(place, scenarios)
    order = np.lexsort((-scenario, users))
    home_V = np.zeros(log.vocabulary.size("item_id"), np.int32)
    home_V[item[order]] = scenario[order]  # what is written last stands
    return home_V


def kind_of(name: str, view: View, home_V: NDArray[np.int32], settings: Associations) -> sp.csr_matrix:
    """Return a kind by its name, learned from the view; texts and attributes must be in it where they are asked for."""
    if name == TAKEN:
        return by_taking(view.interactions, home_V, settings)
    if name == TEXT:
        assert view.vectors is not None
        return by_text(view.vectors, home_V, settings)
    assert view.attributes is not None
    return by_value(view.attributes[name].values_as_of(view.until), settings)


def by_taking(log: Interactions, home_V: NDArray[np.int32], settings: Associations) -> sp.csr_matrix:
    """Return the kind `taken`: the nearest of every item among the items at home in each scenario."""
    had = latest(log, settings.taken.user_items)
    users_V = np.asarray(had.sum(axis=0)).ravel()
    cells = sp.csr_matrix(had.T @ had).tocoo()
    off = cells.row != cells.col
    row, col = cells.row[off], cells.col[off]
    weight = taken(cells.data[off], users_V[row], users_V[col], settings.taken.shrinkage)
    return cut(_matrix(weight, row, col, len(home_V)), home_V, settings.neighbours)


def by_text(vectors: Vectors, home_V: NDArray[np.int32], settings: Associations) -> sp.csr_matrix:
    """Return the kind `text`: whitened cosines, the nearest of every item among those at home in each scenario."""
    white_MD = whitened(vectors, np.flatnonzero(home_V).astype(np.int32))
    home_M = home_V[vectors.items]
    parts = [
        near(np.arange(start, min(start + BLOCK, len(home_M))), white_MD, home_M, settings.neighbours)
        for start in range(0, len(home_M), BLOCK)
    ]
    row, col, weight = (np.concatenate([part[at] for part in parts]) for at in range(3))
    return _matrix(weight, vectors.items[row], vectors.items[col], len(home_V))


def by_value(values: sp.csr_matrix, settings: Associations) -> sp.csr_matrix:
    """Return the kind of an attribute; `values` are ones at the value of every item, csr [V, values]."""
    size_W = np.asarray(values.sum(axis=0)).ravel()
    usable = np.flatnonzero((size_W > 1) & (size_W <= settings.max_alike))
    ones = values[:, usable]
    cells = sp.csr_matrix(ones @ sp.diags(alike(size_W[usable])) @ ones.T).tocoo()
    off = cells.row != cells.col
    return _matrix(cells.data[off], cells.row[off], cells.col[off], values.shape[0])


def near(
    place_R: NDArray[np.integer[Any]], white_MD: NDArray[np.float32], home_M: NDArray[np.int32], count: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[np.float32]]:
    """Return places, places of their `count` nearest in each home, ties by place, and the cosines above 0."""
    cosine_RM = white_MD[place_R] @ white_MD.T
    cosine_RM[np.arange(len(place_R)), place_R] = 0.0
    chosen_RM = cosine_RM > 0
    for home in np.unique(home_M):
        columns = np.flatnonzero(home_M == home)
        if count < len(columns):
            chosen_RM[:, columns] &= top(cosine_RM[:, columns], count)
    row, column = np.nonzero(chosen_RM)
    return place_R[row], column, cosine_RM[row, column]


def latest(log: Interactions, most: int) -> sp.csr_matrix:
    """Return ones for the `most` items that every user took last, ties by item id, csr float64 [users, V]."""
    kept = log.had & (log.item > 0)
    user, item, ts = log.user[kept], log.item[kept], log.ts[kept]
    order = np.lexsort((-ts, item, user))
    last = order[_place_in_run(user[order], item[order]) == 0]
    order = last[np.lexsort((item[last], -ts[last], user[last]))]
    order = order[_place_in_run(user[order]) < most]
    cells = (np.ones(len(order)), (user[order], item[order]))
    return sp.csr_matrix(cells, shape=(len(log.user_ids), log.vocabulary.size("item_id")))


def cut(weights: sp.csr_matrix, home_V: NDArray[np.int32], count: int) -> sp.csr_matrix:
    """Return the `count` largest of each row among the columns of each home, ties by column."""
    cells = weights.tocoo()  # by row and column
    home = home_V[cells.col]
    order = np.lexsort((-cells.data, home, cells.row))
    order = order[_place_in_run(cells.row[order], home[order]) < count]
    return _matrix(cells.data[order], cells.row[order], cells.col[order], len(home_V))


def _place_in_run(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Return of every position how many before it in a row have the same keys."""
    begins = np.ones(len(keys[0]), np.bool_)
    begins[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    start = np.flatnonzero(begins)
    return np.arange(len(begins)) - np.repeat(start, np.diff(start, append=len(begins)))


def _matrix(weight: NDArray[Any], row: NDArray[Any], col: NDArray[Any], size: int) -> sp.csr_matrix:
    found = sp.csr_matrix((weight.astype(np.float32), (row, col)), shape=(size, size))
    found.sort_indices()
    return found
