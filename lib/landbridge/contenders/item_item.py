"""Item-item neighbours: the cosine between items over their users (Sarwar et al. 2001; Deshpande and Karypis 2004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.base import View
from landbridge.contenders.weights import FromEvidence, WeightsFitted, evidence

_BLOCK = 512


@dataclass(frozen=True)
class ItemItem(FromEvidence):
    """Keeps the `neighbours` nearest items of every item, ties by item id.

    `across` is the weight of the other scenarios' evidence; None learns from the scenario alone.
    """

    stem: ClassVar[str] = "item_item"

    neighbours: int
    across: float | None = None

    def fit(self, view: View) -> WeightsFitted:
        """Count pairs, divide by the norms, drop the diagonal, keep the nearest."""
        seen = evidence(view, self.across)
        return WeightsFitted.of(seen.items, nearest(cosine(seen.gram()), self.neighbours))


def cosine(gram: sp.csr_matrix) -> sp.csr_matrix:
    """Return g_ij / sqrt(g_ii g_jj) with a zero diagonal, of a csr float64 [M, M] Gram matrix."""
    norm = np.sqrt(gram.diagonal()) + 1e-9
    cells = gram.tocoo()
    off = cells.row != cells.col
    row, col = cells.row[off], cells.col[off]
    values = (cells.data[off] / (norm[row] * norm[col])).astype(np.float32)
    near = sp.csr_matrix((values, (row, col)), shape=gram.shape)
    near.eliminate_zeros()
    return near


def nearest(near: sp.csr_matrix, neighbours: int) -> sp.csr_matrix:
    """Return `near`, values above zero, with the `neighbours` largest of each row, ties by column.

    Rows that hold more are looked at in blocks, as dense ones; the others stay as they are.
    """
    count_M = np.diff(near.indptr)
    kept = np.ones(near.nnz, np.bool_)
    for start in range(0, near.shape[0], _BLOCK):
        stop = min(start + _BLOCK, near.shape[0])
        crowded_R = count_M[start:stop] > neighbours
        if crowded_R.any():
            cells = near[start + np.flatnonzero(crowded_R)].tocoo()
            inside = kept[near.indptr[start] : near.indptr[stop]]
            inside[np.repeat(crowded_R, count_M[start:stop])] = top(cells.toarray(), neighbours)[cells.row, cells.col]
    begins = np.concatenate([[0], np.cumsum(kept)])[near.indptr]
    return sp.csr_matrix((near.data[kept], near.indices[kept], begins), shape=near.shape)


def top(values_RM: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Return whether a value is among the `count` largest of its row, ties by column."""
    # The count-th value is a threshold; what equals it fills the places left, lowest column first: no sort is needed.
    threshold_R1 = np.partition(values_RM, -count, axis=1)[:, -count][:, None]
    above = values_RM > threshold_R1
    equal = values_RM == threshold_R1
    left_R1 = count - above.sum(axis=1, keepdims=True)
    chosen: NDArray[np.bool_] = above | (equal & (np.cumsum(equal, axis=1) <= left_R1))
    return chosen
