"""Where lists put what was taken: the rows of a ranking study by unit, a user of a scenario in a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.study.protocol import Measured


@dataclass(frozen=True)
class Places:
    """N items that were taken, by B units, of U users.

    Attributes
    ----------
    rank_N, unit_N
        Rank from 0, the mean one of equal scores, and unit of every item.
    taken_B, user_B
        How much a unit took, and the place of its user among `user_ids`.
    user_ids
        Ascending.
    """

    rank_N: NDArray[np.float64]
    unit_N: NDArray[np.intp]
    taken_B: NDArray[np.int64]
    user_B: NDArray[np.intp]
    user_ids: pa.StringArray


def places_of(rows: pa.Table, by: Sequence[str] = ("scenario", "window")) -> Places:
    """Return rows (user_id, rank, and the columns `by`) by unit: of each user in each combination of `by`."""
    ids = pc.unique(rows["user_id"])
    ids = ids.take(pc.sort_indices(ids))
    user_N = pc.index_in(rows["user_id"], value_set=ids).to_numpy().astype(np.int64)
    key_N = user_N
    for name in by:
        coded = rows[name].combine_chunks().dictionary_encode()
        coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
        key_N = key_N * len(coded.dictionary) + coded.indices.to_numpy()
    _, first_B, unit_N, taken_B = np.unique(key_N, return_index=True, return_inverse=True, return_counts=True)
    return Places(rows["rank"].to_numpy().astype(np.float64), unit_N, taken_B, user_N[first_B].astype(np.intp), ids)


def value_of(places: Places, metric: Literal["ndcg", "recall", "hit_rate"], k: int) -> NDArray[np.float64]:
    """Return a measure at k of every unit, as `evaluate.metrics.ranking` has it."""
    if metric == "ndcg":
        return discounted(places, k)
    hits_B = np.bincount(places.unit_N, places.rank_N < k, len(places.taken_B))
    value_B: NDArray[np.float64] = np.minimum(hits_B, 1.0) if metric == "hit_rate" else hits_B / places.taken_B
    return value_B


def discounted(places: Places, k: int) -> NDArray[np.float64]:
    """Return NDCG@k of every unit with binary gains: the ideal list begins with min(k, taken) hits."""
    inside_N = places.rank_N < k
    gain_N = np.where(inside_N, 1.0 / np.log2(np.minimum(places.rank_N, k) + 2.0), 0.0)
    ideal_K = np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))
    gain_B = np.bincount(places.unit_N, gain_N, len(places.taken_B))
    value_B: NDArray[np.float64] = gain_B / ideal_K[np.minimum(places.taken_B, k) - 1]
    return value_B


def mean_of(places: Places, value_B: NDArray[np.float64]) -> Measured:
    """Return the mean over units, and what each user does to it: his share of the deviation."""
    mean = float(value_B.mean())
    influence_U = np.bincount(places.user_B, value_B - mean, len(places.user_ids)) / len(value_B)
    return Measured(mean, places.user_ids, influence_U, len(value_B))
