"""The measures, each for many units at once: ranking over the full catalogue, the others over drawn items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

RANKING = ("ndcg", "recall", "hit_rate", "mrr", "map")
_SMALL = 1e-7
_PAIRS = 1 << 14
"""Positives compared at once with the negatives of their unit."""


def ranking(items_BK: NDArray[np.int32], truth: sp.csr_matrix, k: int) -> dict[str, NDArray[np.float64]]:
    """Return NDCG@k, Recall@k, hit rate@k, MRR@k and MAP@k of every unit.

    Parameters
    ----------
    items_BK
        Recommended ids, best first, 0 where there are none; at least k columns.
    truth
        csr [B, items] of ones at what was taken; every row has some.

    Notes
    -----
    NDCG is with binary gains: the sum over hits of 1 / log2(rank + 1), over that of a list which begins with
    min(k, taken) hits. Recall is hits over all that was taken, also where that is more than k. MRR is one over the
    place     of the first hit, 0 without one. MAP is the sum of the precisions at the hits over min(k, taken).
    """
    hit_BK = contains(truth, items_BK[:, :k])
    taken_B = np.diff(truth.indptr)
    most_B, place_K = np.minimum(taken_B, k), np.arange(k) + 1.0
    discount_K = 1.0 / np.log2(place_K + 1.0)
    ideal_B = np.cumsum(discount_K)[most_B - 1]
    return {
        "ndcg": hit_BK @ discount_K / ideal_B,
        "recall": hit_BK.sum(axis=1) / taken_B,
        "hit_rate": hit_BK.any(axis=1).astype(np.float64),
        "mrr": (hit_BK / place_K).max(axis=1, initial=0.0),
        "map": (hit_BK * hit_BK.cumsum(axis=1) / place_K).sum(axis=1) / most_B,
    }


def contains(rows: sp.csr_matrix, items_BK: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Return which of items_BK[b] row b of a csr matrix [B, items] has; the id 0 is no item."""
    rows.sort_indices()
    size = rows.shape[1]
    # Ascending, as rows follow each other and columns are sorted, so one binary search finds them all.
    keys = np.repeat(np.arange(rows.shape[0], dtype=np.int64) * size, np.diff(rows.indptr)) + rows.indices
    wanted = np.arange(len(items_BK), dtype=np.int64)[:, None] * size + items_BK
    if len(keys) == 0:
        return np.zeros(wanted.shape, np.bool_)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: NDArray[np.bool_] = (keys[place] == wanted) & (items_BK > 0)
    return found


@dataclass(frozen=True)
class Auc:
    """The probability that a positive scores above a negative, ties counting one half, and what each user does to it.

    AUC is a U-statistic over pairs of rows; weighting user u by w_u changes it by sum (w_u - 1) * influence_u to first
    order, with the placements of DeLong et al. (1988) summed over the rows of a user as Obuchowski (1997) does for
    clustered data. So resampling users is a matrix product, and no sorting is repeated.
    """

    value: float
    influence_U: NDArray[np.float64]


def auc(
    positive_P: NDArray[np.float32],
    negative_N: NDArray[np.float32],
    user_P: NDArray[np.intp],
    user_N: NDArray[np.intp],
    users: int,
) -> Auc:
    """Return the AUC of scores of positives and negatives and the influence of each user; NaN without both."""
    if len(positive_P) == 0 or len(negative_N) == 0:
        return Auc(float("nan"), np.full(users, np.nan))
    up, down = np.argsort(positive_P), np.argsort(negative_N)
    above = _placements(positive_P[up], negative_N[down])
    below = 1.0 - _placements(negative_N[down], positive_P[up])
    value = above.mean()
    of_positives = np.bincount(user_P[up], above - value, users) / len(positive_P)
    of_negatives = np.bincount(user_N[down], below - value, users) / len(negative_N)
    return Auc(float(value), of_positives + of_negatives)


def _placements(values: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of `others` below each value, ties counting one half; both ascending."""
    below = np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")
    share: NDArray[np.float64] = below / (2.0 * len(others))
    return share


def unit_auc(
    scores_BK: NDArray[np.float32], label_BK: NDArray[np.bool_], valid_BK: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the AUC of each unit's own items, whose mean is GAUC; NaN where a unit lacks positives or negatives."""
    negative_BK = ~label_BK & valid_BK
    columns = np.flatnonzero(negative_BK.any(axis=0))
    row_P, column_P = np.nonzero(label_BK & valid_BK)
    wins_B = np.zeros(len(scores_BK))
    for start in range(0, len(row_P), _PAIRS):
        row, column = row_P[start : start + _PAIRS], column_P[start : start + _PAIRS]
        score, others = scores_BK[row, column][:, None], scores_BK[np.ix_(row, columns)]
        won = ((score > others) + 0.5 * (score == others)) * negative_BK[np.ix_(row, columns)]
        wins_B += np.bincount(row, won.sum(axis=1), len(wins_B))
    pairs_B = np.bincount(row_P, minlength=len(wins_B)) * negative_BK.sum(axis=1)
    shares_B: NDArray[np.float64] = np.divide(wins_B, pairs_B, out=np.full(len(wins_B), np.nan), where=pairs_B > 0)
    return shares_B


def log_loss(
    probability_BK: NDArray[np.float32], label_BK: NDArray[np.bool_], valid_BK: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the sum of -log of the probability of what happened, of each unit's items; shape B.

    A ranker's probability is that of its own training: so many negatives a positive (``ranker.negatives``), drawn by
    ``negatives``. Here it meets another share of positives, so the loss compares fits of one configuration with each
    other, and says nothing about calibration in the world.
    """
    clipped = np.clip(probability_BK.astype(np.float64), _SMALL, 1.0 - _SMALL)
    loss_BK = -np.where(label_BK, np.log(clipped), np.log1p(-clipped))
    sum_B: NDArray[np.float64] = np.where(valid_BK, loss_BK, 0.0).sum(axis=1)
    return sum_B


def at(metric: str, k: int) -> str:
    """Return how a metric is written: ndcg@10, or auc."""
    return f"{metric}@{k}" if k else metric


def ranking_names(ks: Sequence[int]) -> list[tuple[str, int]]:
    """Return (metric, k) of all ranking measures, in the order of columns."""
    return [(metric, k) for k in ks for metric in RANKING]
