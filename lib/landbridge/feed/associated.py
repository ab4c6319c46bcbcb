"""How candidates go with what users have, kind by kind: what a ranker reads of it, and which candidates it makes.

A candidate's feature of a kind is log(1 + s / FLOOR), s the sum of the kind's weights between the candidate and the
distinct items of the user's history: first those of the scenario that is asked about, for every kind, then those of all
others. A = 2 * kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.feed.states import Catalogue, States

FLOOR = 0.1
"""A sum of so much counts as the difference between little and nothing: cosines of takers are about that large."""


@dataclass(frozen=True)
class Associated:
    """The kinds of association as of the end of one day.

    Attributes
    ----------
    kinds
        csr float32 [V, V] by kind, an item's id its place; row: what the user has, column: the candidate.
    places
        The folder in which the arrays of a kind lie already, where they do: whoever saves them may link them.
    """

    kinds: Mapping[str, sp.csr_matrix]
    places: Mapping[str, Path] = field(default_factory=dict)

    def only(self, names: Sequence[str]) -> Self:
        """Return some kinds, in that order."""
        places = {name: place for name, place in self.places.items() if name in names}
        return type(self)({name: self.kinds[name] for name in names}, places)

    @property
    def width(self) -> int:
        """A, the features of a candidate."""
        return 2 * len(self.kinds)

    def of_pairs(self, states: States, row_B: NDArray[np.intp], item_BK: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return feature_BKA of candidates for the states at `row_B`, by looking up each cell: for few candidates.

        Memory grows with the events of the states at `row_B`.
        """
        sum_ABK = np.zeros((self.width, *item_BK.shape), np.float64)
        own_HL, other_HL = _told_apart(states)
        for half, told_HL in enumerate((own_HL, other_HL)):
            at_E, event_E = np.nonzero(told_HL[row_B])
            past_E = states.item_BL[row_B[at_E], event_E]
            for number, near in enumerate(self.kinds.values()):
                for column in range(item_BK.shape[1]):
                    weight_E = _cells(near, past_E, item_BK[at_E, column])
                    place = half * len(self.kinds) + number
                    sum_ABK[place, :, column] = np.bincount(at_E, weights=weight_E, minlength=len(item_BK))
        return _feature(sum_ABK)

    def of_catalogue(self, states: States, catalogue: Catalogue, index_BK: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return feature_BKA of the items ``catalogue.items[index_BK]``, by one sparse product a kind: for many.

        Memory grows with users times catalogue, as it does where whole catalogues are scored.
        """
        halves = _told_apart(states)
        sums = [np.take_along_axis(_sums(near, states, told_BL, catalogue), index_BK, axis=1)
                for told_BL in halves for near in self.kinds.values()]  # fmt: skip
        return _feature(np.stack(sums)) if sums else np.zeros((*index_BK.shape, 0), np.float32)

    def nearness(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return nearness_BC: the largest over the kinds of an item's sum as a share of the user's largest of the kind.

        So the first of each kind come first, whatever its weights are; an item that goes with nothing has zero.
        """
        nearness_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        own_BL, other_BL = _told_apart(states)
        for near in self.kinds.values():
            sum_BC = _sums(near, states, own_BL | other_BL, catalogue)
            sum_BC /= np.maximum(sum_BC.max(axis=1, initial=0.0, keepdims=True), np.float32(1e-12))
            np.maximum(nearness_BC, sum_BC, out=nearness_BC)
        return nearness_BC


@dataclass(frozen=True)
class Timeline:
    """The kinds as of several days, for rows that are learned from: each reads those of the last day before its own.

    So no row reads what was learned of its own day, of itself the least.

    Attributes
    ----------
    day_P
        Ascending, in days since the epoch.
    each
        The kinds as of the end of each.
    """

    day_P: NDArray[np.int64]
    each: Sequence[Associated]

    @property
    def width(self) -> int:
        """A, the features of a candidate."""
        return self.each[0].width

    def of_pairs(
        self, states: States, row_B: NDArray[np.intp], item_BK: NDArray[np.int32], day_B: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return feature_BKA of candidates on the days `day_B`; zero where nothing was learned before."""
        feature_BKA = np.zeros((*item_BK.shape, self.width), np.float32)
        place_B = np.searchsorted(self.day_P, day_B) - 1
        for place in np.unique(place_B[place_B >= 0]):
            rows = np.flatnonzero(place_B == place)
            feature_BKA[rows] = self.each[place].of_pairs(states, row_B[rows], item_BK[rows])
        return feature_BKA


def _told_apart(states: States) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which events are of the scenario that is asked about, and which of others, BL; an item once in each."""
    own_BL = states.scenario_BL == states.scenario
    code_BL = states.item_BL.astype(np.int64) * 2 + own_BL
    order_BL = np.argsort(code_BL, axis=1, kind="stable")
    ordered_BL = np.take_along_axis(code_BL, order_BL, axis=1)
    first_BL = np.ones(code_BL.shape, np.bool_)
    first_BL[:, 1:] = ordered_BL[:, 1:] != ordered_BL[:, :-1]
    kept_BL = np.zeros(code_BL.shape, np.bool_)
    np.put_along_axis(kept_BL, order_BL, first_BL, axis=1)
    kept_BL &= states.item_BL > 0
    return kept_BL & own_BL, kept_BL & ~own_BL


def _sums(near: sp.csr_matrix, states: States, told_BL: NDArray[np.bool_], catalogue: Catalogue) -> NDArray[np.float32]:
    """Return sum_BC of the weights between items of the catalogue and those that some events are about."""
    size = near.shape[0]
    row, event = np.nonzero(told_BL & (states.item_BL < size))
    past = sp.csr_matrix((np.ones(len(row), np.float32), (row, states.item_BL[row, event])), shape=(len(states), size))
    past.data[:] = 1.0  # an item of both halves, where both are asked about, counts once
    known = np.where(catalogue.items < size, catalogue.items, 0)  # nothing goes with the unknown item
    sums: NDArray[np.float32] = sp.csr_matrix(past @ near)[:, known].toarray()
    return sums


def _cells(near: sp.csr_matrix, row_E: NDArray[np.int32], column_E: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the weights at pairs of ids; ids beyond go with nothing."""
    size = near.shape[0]
    inside = (row_E < size) & (column_E < size)
    if not inside.any():  # scipy answers with an empty matrix that is not dense
        return np.zeros(len(row_E), np.float32)
    found = near[np.where(inside, row_E, 0), np.where(inside, column_E, 0)]
    return np.asarray(found, np.float32).ravel()


def _feature(sum_ABK: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(np.log1p(sum_ABK / FLOOR), 0, -1), np.float32)
