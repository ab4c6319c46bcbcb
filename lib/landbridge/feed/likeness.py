"""Which items are alike: the inner products of their residuals over users, kept for the nearest of every item.

Item-item neighbours of residuals: Koren 2008, equation 2, with its shrunk similarity. What is kept are sums, and not
similarities, so that one user's part can be taken out of each again. Which pairs are kept is decided by who had both,
and not by the residuals: of rare items those pairs would be chosen whose one user liked both, and that choice alone
tells his training rows their answer (AUC of the neighbours' mean on anime 0.73 on training rows, 0.68 on others; with
this choice 0.67 on both).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

BLOCK = 256
"""Items whose products with all others are in memory at once."""


@dataclass(frozen=True)
class Likeness:
    """At most K nearest items of each of M items, as one CSR structure; an item is not near to itself.

    `near` has at (i, j) the position of the pair in `product_EO` and `both_E`, plus one.
    """

    near: sp.csr_matrix
    product_EO: NDArray[np.float32]
    """Sum over users of the product of the two residuals."""
    both_E: NDArray[np.float32]
    """Users who had both."""
    square_MO: NDArray[np.float32]
    """Sum over users of an item's squared residuals."""
    shrink: float

    @classmethod
    def fit(cls, had: sp.csr_matrix, left: list[sp.csr_matrix], keep: int, shrink: float) -> Likeness:
        """Fit on users x items: ones where a user had an item, and his residuals, a matrix a channel."""
        items = had.shape[1]
        square_MO = np.stack([np.asarray(one.multiply(one).sum(axis=0)).ravel() for one in left], axis=1)
        turned = [sp.csr_matrix(one.T) for one in [had, *left]]
        parts = [
            _nearest(slice(at, min(at + BLOCK, items)), had, left, turned, keep, shrink)
            for at in range(0, items, BLOCK)
        ]
        count_M, item_E, both_E = (np.concatenate([part[place] for part in parts]) for place in range(3))
        product_EO = np.concatenate([part[3] for part in parts])
        start = np.concatenate([[0], np.cumsum(count_M)])
        near = sp.csr_matrix((np.arange(1, len(item_E) + 1), item_E, start), shape=(items, items))
        return cls(near, product_EO, both_E, square_MO.astype(np.float32), shrink)

    def weights(
        self,
        pair_E: NDArray[np.int64],
        item_E: NDArray[np.int32],
        other_E: NDArray[np.int32],
        own_EO: NDArray[np.float32],
        left_EO: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return similarity_EO and both_E of pairs, without the part of one user in each.

        Parameters
        ----------
        pair_E
            Positions of the pairs, as in `near` less one.
        item_E, other_E
            The two items of each pair.
        own_EO, left_EO
            The user's residuals at the two items; `own_EO` is NaN where the user's part is not in the sums.
        """
        inside_E = ~np.isnan(own_EO[:, 0])
        own_EO = np.where(inside_E[:, None], own_EO, 0.0).astype(np.float32)
        other_EO = left_EO * inside_E[:, None]
        product_EO = self.product_EO[pair_E] - own_EO * other_EO
        both_E = self.both_E[pair_E] - inside_E
        first_EO = np.maximum(self.square_MO[item_E] - own_EO**2, 1e-6)
        second_EO = np.maximum(self.square_MO[other_E] - other_EO**2, 1e-6)
        shrunk_E = both_E / (both_E + self.shrink)
        return (product_EO / np.sqrt(first_EO * second_EO) * shrunk_E[:, None]).astype(np.float32), both_E


def _nearest(
    block: slice,
    had: sp.csr_matrix,
    left: list[sp.csr_matrix],
    turned: list[sp.csr_matrix],
    keep: int,
    shrink: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return of a block of items: how many are near to each, which, how many users had both, and the products."""
    count_M = np.diff(turned[0].indptr)
    both_BM = (turned[0][block] @ had).toarray()
    product_OBM = np.stack([(turned[1 + place][block] @ one).toarray() for place, one in enumerate(left)])
    near_BM = both_BM / np.sqrt(count_M[block, None] * count_M + shrink**2)
    rows = np.arange(near_BM.shape[0])
    near_BM[rows, rows + block.start] = 0.0
    kept = min(keep, near_BM.shape[1])
    index_BK = np.sort(np.argpartition(-near_BM, kept - 1, axis=1)[:, :kept], axis=1)
    is_BK = np.take_along_axis(near_BM, index_BK, axis=1) > 0
    row, item = np.repeat(rows, is_BK.sum(axis=1)), index_BK[is_BK]
    products = product_OBM[:, row, item].T
    return is_BK.sum(axis=1), item, both_BM[row, item].astype(np.float32), products.astype(np.float32)
