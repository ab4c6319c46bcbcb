"""Lists that a scenario without a log is lent: its neighbours' lists, made of its own catalogue, fused into one.

Scores of different contenders have no common scale, ranks have: an item's score is the sum over the neighbours of
``weight / (60 + rank)``, ranks from 1 (reciprocal rank fusion, Cormack, Clarke and Buettcher 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENT = "zero_shot_neighbours"
"""The source of such lists, as the table names it; the strategy `zero_shot` serves scenarios that have a log."""
_DAMP = 60.0


def lent_route(weights: Mapping[str, float], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what ``routes.json`` says of a newcomer: its neighbours by weight, each with the parts of its route."""
    return {
        "contender": LENT,
        "fit": entries[next(iter(weights))]["fit"],
        "neighbours": [
            {
                "scenario": name,
                "weight": weight,
                **{key: entries[name][key] for key in ("contender", "part", "unknown")},
            }
            for name, weight in sorted(weights.items(), key=lambda one: (-one[1], one[0]))
        ],
    }


def fused(
    items_NBK: NDArray[np.int32], weight_N: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return items_Bk, best first, and their scores of the lists of N neighbours; item 0 is a place that is empty.

    Ties go to the lower id, as everywhere.
    """
    neighbours, rows, depth = items_NBK.shape
    gain_NK = weight_N[:, None] / (_DAMP + np.arange(1, depth + 1))
    gain_NBK = np.broadcast_to(gain_NK[:, None, :], items_NBK.shape)
    row_NBK = np.broadcast_to(np.arange(rows)[:, None], (neighbours, rows, depth))
    there = items_NBK > 0
    width = int(items_NBK.max(initial=0)) + 1
    cell_P, place = np.unique(row_NBK[there].astype(np.int64) * width + items_NBK[there], return_inverse=True)
    score_P = np.bincount(place, gain_NBK[there], len(cell_P))
    row_P, item_P = cell_P // width, cell_P % width
    order = np.lexsort((item_P, -score_P, row_P))
    rank_P = np.arange(len(order)) - np.searchsorted(row_P[order], row_P[order])
    kept = rank_P < k
    found = np.zeros((rows, k), np.int32), np.zeros((rows, k), np.float32)
    at = row_P[order][kept], rank_P[kept]
    found[0][at], found[1][at] = item_P[order][kept], score_P[order][kept]
    return found
