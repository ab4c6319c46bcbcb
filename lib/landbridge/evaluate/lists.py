"""What lists are like, whoever they are right for: how new they are, how varied, and how much of a catalogue they show.

Novelty is the mean self-information of what is recommended (Zhou et al. 2010, "Solving the apparent diversity-accuracy
dilemma of recommender systems"), diversity one less the mean likeness of two items of a list (Ziegler et al. 2005,
"Improving recommendation lists through topic diversification"). Neither is better the higher it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_USERS = 1024
"""Users whose items are dense at once; a multiple of 8."""
_WORDS = 1 << 20
"""Words of 64 bits that are compared at once."""
NAMES = ("novelty", "diversity")
"""Measures of one list; coverage is one of many."""


@dataclass(frozen=True)
class Known:
    """What the B judged users have before they are asked: had_BI of ones, by item id."""

    had_BI: sp.csr_matrix

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """How many users have each item, float64 [I]."""
        count_I: NDArray[np.float64] = np.asarray(self.had_BI.sum(axis=0), np.float64).ravel()
        return count_I

    def novelty(self, items_BK: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the mean bits of each list, NaN where it is empty; 0 is no item.

        An item is worth -log2 of the share of users who have it, one user added to each.
        """
        filled_BK = items_BK > 0
        bits_I = -np.log2((self.counts + 1.0) / (self.had_BI.shape[0] + 1.0))
        bits_B: NDArray[np.float64] = np.where(filled_BK, bits_I[items_BK], 0.0).sum(axis=1)
        return _mean(bits_B, filled_BK.sum(axis=1))

    def diversity(self, items_BK: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return one less the mean likeness of two items of each list, NaN where it has fewer; 0 is no item.

        Two items are alike by the cosine over their users; what nobody has is like nothing.
        """
        one_P, other_P = np.triu_indices(items_BK.shape[1], 1)
        one_BP, other_BP = items_BK[:, one_P], items_BK[:, other_P]
        both_BP = (one_BP > 0) & (other_BP > 0)
        like_N = self._cosine(one_BP[both_BP], other_BP[both_BP])
        like_B = np.bincount(np.nonzero(both_BP)[0], like_N, len(items_BK)).astype(np.float64)
        return 1.0 - _mean(like_B, both_BP.sum(axis=1))

    def _cosine(self, one_N: NDArray[np.int32], other_N: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the cosines of pairs of items: how many users have both is counted in bits, a user each."""
        shown_S, place_2N = np.unique(np.stack([one_N, other_N]), return_inverse=True)
        place_2N = place_2N.reshape(2, -1)
        bits_SW = self._bits(shown_S)
        both_N = np.empty(len(one_N))
        step = max(1, _WORDS // max(bits_SW.shape[1], 1))
        for start in range(0, len(one_N), step):
            one, other = place_2N[:, start : start + step]
            both_N[start : start + step] = np.bitwise_count(bits_SW[one] & bits_SW[other]).sum(axis=1, dtype=np.int64)
        length_N = np.sqrt(self.counts[one_N] * self.counts[other_N])
        cosine_N: NDArray[np.float64] = np.divide(both_N, length_N, out=np.zeros(len(both_N)), where=length_N > 0)
        return cosine_N

    def _bits(self, items_S: NDArray[np.int32]) -> NDArray[np.uint64]:
        """Return who has each of some items, a bit a user, uint64 [S, ceil(B / 64)]."""
        own_BS = self.had_BI[:, items_S]
        blocks = [
            np.packbits(own_BS[start : start + _USERS].toarray() > 0, axis=0)
            for start in range(0, own_BS.shape[0], _USERS)
        ]
        spare = np.zeros((-sum(map(len, blocks)) % 8, len(items_S)), np.uint8)
        bytes_WS = np.concatenate([*blocks, spare])
        return np.ascontiguousarray(bytes_WS.T).view(np.uint64)


def coverage(items_BK: NDArray[np.int32], catalogue: int) -> float:
    """Return the share of a catalogue of so many items that stands in some list."""
    shown = np.unique(items_BK)
    return float((shown > 0).sum() / catalogue) if catalogue else float("nan")


def _mean(sum_B: NDArray[np.float64], count_B: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    mean_B: NDArray[np.float64] = np.divide(sum_B, count_B, out=np.full(len(sum_B), np.nan), where=count_B > 0)
    return mean_B
