"""What lists are like, whoever they are right for: how new they are, how varied, and how much of a catalogue they show.

Novelty is the mean self-information of what is recommended (Zhou et al. 2010, "Solving the apparent diversity-accuracy
dilemma of recommender systems"), diversity one less the mean likeness of two items of a list (Ziegler et al. 2005,
"Improving recommendation lists through topic diversification"). Neither is better the higher it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.item_item import cosine

NAMES = ("novelty", "diversity")
"""Measures of one list; coverage is one of many."""


@dataclass(frozen=True)
class Known:
    """What the judged users have before they are asked, by item id.

    Attributes
    ----------
    surprise_I
        Bits that it takes to say that a user has the item: -log2 of the share of users who do, one user added to each.
    likeness_II
        csr float32, the cosine of two items over their users; zero of an item with itself.
    """

    surprise_I: NDArray[np.float64]
    likeness_II: sp.csr_matrix

    @classmethod
    def of(cls, had_BI: sp.csr_matrix) -> Self:
        """Count the users of every item, and of every two."""
        count_I = np.asarray(had_BI.sum(axis=0)).ravel()
        share_I = (count_I + 1.0) / (had_BI.shape[0] + 1.0)
        wide = had_BI.astype(np.float64)
        return cls(-np.log2(share_I), cosine(sp.csr_matrix(wide.T @ wide)))

    def novelty(self, items_BK: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the mean bits of each list, NaN where it is empty; 0 is no item."""
        filled_BK = items_BK > 0
        bits_B: NDArray[np.float64] = np.where(filled_BK, self.surprise_I[items_BK], 0.0).sum(axis=1)
        return _mean(bits_B, filled_BK.sum(axis=1))

    def diversity(self, items_BK: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return one less the mean likeness of two items of each list, NaN where it has fewer; 0 is no item."""
        one_P, other_P = np.triu_indices(items_BK.shape[1], 1)
        one_BP, other_BP = items_BK[:, one_P], items_BK[:, other_P]
        both_BP = (one_BP > 0) & (other_BP > 0)
        like_N = np.asarray(self.likeness_II[one_BP[both_BP], other_BP[both_BP]]).ravel()
        like_B = np.bincount(np.nonzero(both_BP)[0], like_N, len(items_BK)).astype(np.float64)
        return 1.0 - _mean(like_B, both_BP.sum(axis=1))


def coverage(items_BK: NDArray[np.int32], catalogue: int) -> float:
    """Return the share of a catalogue of so many items that stands in some list."""
    shown = np.unique(items_BK)
    return float((shown > 0).sum() / catalogue) if catalogue else float("nan")


def _mean(sum_B: NDArray[np.float64], count_B: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    mean_B: NDArray[np.float64] = np.divide(sum_B, count_B, out=np.full(len(sum_B), np.nan), where=count_B > 0)
    return mean_B
