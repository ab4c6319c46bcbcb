"""AUC over rows that lie on several ranks: exactly that of all rows together.

A rank sends its distinct scores, each with how many positives and negatives have it, and no rows; what is gathered says
all that the statistic of Mann and Whitney needs. Equal scores count half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.models.together import Together


def shared_auc(score_N: NDArray[np.floating[Any]], label_N: NDArray[np.generic], ranks: Together) -> float:
    """Return the AUC over the rows of all ranks, the same on each; NaN where all labels are equal.

    Parameters
    ----------
    score_N, label_N
        This rank's rows, perhaps none; a label is true or false. All ranks have to ask.
    """
    score_V, positive_V, negative_V = _counted(score_N, np.asarray(label_N) > 0)
    sent_V3 = np.stack([score_V, positive_V, negative_V], axis=1)
    whole_V3 = ranks.gather(torch.from_numpy(sent_V3))[0].numpy()
    order = np.argsort(whole_V3[:, 0], kind="stable")
    score, positive, negative = whole_V3[order].T
    # Ranks may have met the same score: their counts belong together.
    start = np.flatnonzero(np.diff(score, prepend=np.nan) != 0) if len(score) else np.empty(0, np.int64)
    if len(start) == 0:
        return float("nan")
    positive, negative = np.add.reduceat(positive, start), np.add.reduceat(negative, start)
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative
    return float((positive * (below + 0.5 * negative)).sum() / pairs) if pairs else float("nan")


def _counted(
    score_N: NDArray[np.floating[Any]], positive_N: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct scores, ascending, and how many positives and negatives have each."""
    score_V, place_N = np.unique(np.asarray(score_N, np.float64), return_inverse=True)
    positive_V, negative_V = (
        np.bincount(place_N[chosen], minlength=len(score_V)).astype(np.float64) for chosen in (positive_N, ~positive_N)
    )
    return score_V, positive_V, negative_V
