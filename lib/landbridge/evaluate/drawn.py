"""Items drawn for AUC, GAUC and log loss: all that a unit took, beside a few that it did not have and did not take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.weights import positions
from landbridge.evaluate.metrics import contains
from landbridge.evaluate.units import Units
from landbridge.feed.hashing import chained, hash_strings


@dataclass(frozen=True)
class Drawn:
    """Columns of the catalogue for every unit, K of them, padded: positives first, then negatives."""

    index_BK: NDArray[np.intp]
    label_BK: NDArray[np.bool_]
    valid_BK: NDArray[np.bool_]


def draw(units: Units, count: int, seed: int) -> Drawn:
    """Return every taken item of the catalogue and `count` others (fewer where there are fewer) for every unit.

    The others are drawn uniformly and without repetition by hashing seed, window and user, so they depend neither on
    the other units nor on the order of anything.
    """
    taken_BP, is_taken_BP = _taken(units)
    other_BN, is_other_BN = _others(units, count, seed)
    label_BK = np.concatenate([is_taken_BP, np.zeros_like(is_other_BN)], axis=1)
    return Drawn(
        np.concatenate([taken_BP, other_BN], axis=1), label_BK, np.concatenate([is_taken_BP, is_other_BN], axis=1)
    )


def _taken(units: Units) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    truth = units.truth.tocoo()
    place, known = positions(units.catalogue.items, truth.col.astype(np.int32))
    row, place = truth.row[known], place[known]
    count_B = np.bincount(row, minlength=len(units))
    filled = np.arange(max(int(count_B.max(initial=0)), 1))[None, :] < count_B[:, None]
    index = np.zeros(filled.shape, np.intp)
    index[filled] = place[np.lexsort((place, row))]
    return index, filled


def _others(units: Units, count: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    items = units.catalogue.items
    if len(items) == 0:
        return np.zeros((len(units), count), np.intp), np.zeros((len(units), count), np.bool_)
    # Four draws for each wanted leave enough after repetitions and what the user has, if there is enough.
    counter_T = np.arange(4 * count, dtype=np.uint64)
    user_B = hash_strings(units.states.user_ids)
    bits_BT = chained(seed, units.window.since.toordinal(), user_B[:, None], counter_T[None, :])
    index_BT = (bits_BT % np.uint64(len(items))).astype(np.intp)
    fits_BT = (
        ~_repeats(index_BT) & ~contains(units.states.had, items[index_BT]) & ~contains(units.truth, items[index_BT])
    )
    order_BN = np.argsort(~fits_BT, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(index_BT, order_BN, axis=1), np.take_along_axis(fits_BT, order_BN, axis=1)


def _repeats(values_BT: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which values stand further left in their row already."""
    order_BT = np.argsort(values_BT, axis=1, kind="stable")
    ordered_BT = np.take_along_axis(values_BT, order_BT, axis=1)
    again_BT = np.zeros(values_BT.shape, np.bool_)
    again_BT[:, 1:] = ordered_BT[:, 1:] == ordered_BT[:, :-1]
    repeats_BT = np.empty_like(again_BT)
    np.put_along_axis(repeats_BT, order_BT, again_BT, axis=1)
    return repeats_BT
