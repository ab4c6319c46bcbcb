"""How others answer top-k: torch, faiss, implicit; and the matrix product, which nobody can save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

ITEMS, FACTORS, K = 20_000, 64, 100
_SEEN = 50
"""Items that a user has, on the average."""
_BLOCK = 1024
_GROUP = 16
"""Items of a group in the first of two stages."""
Found = tuple[NDArray[np.integer[Any]], NDArray[np.float32]]
"""Places of items and scores, both [U, K], best first."""


@dataclass(frozen=True)
class Factors:
    """Factors of users and items, and what the users have."""

    user_UF: NDArray[np.float32]
    item_IF: NDArray[np.float32]
    seen: sparse.csr_matrix
    """Ones [U, I]; log-normal over users, a power law over items."""

    @classmethod
    def drawn(cls, users: int) -> Self:
        """Draw them."""
        draw = np.random.default_rng(1)
        user_UF, item_IF = (draw.standard_normal((size, FACTORS), np.float32) for size in (users, ITEMS))
        active, popular = draw.lognormal(0.0, 1.2, users), 1.0 / np.arange(1, ITEMS + 1) ** 0.9
        user = draw.choice(users, _SEEN * users, p=active / active.sum())
        item = draw.permutation(ITEMS)[draw.choice(ITEMS, _SEEN * users, p=popular / popular.sum())]
        user, item = np.divmod(np.unique(user.astype(np.int64) * ITEMS + item), ITEMS)
        pairs = (user.astype(np.int32), item.astype(np.int32))
        seen = sparse.csr_matrix((np.ones(len(user), np.float32), pairs), shape=(users, ITEMS))
        return cls(user_UF / np.float32(8), item_IF / np.float32(8), seen)


def product(factors: Factors) -> None:
    """The floor: all scores, and nothing done with them."""
    for _ in _scored(factors, len(factors.user_UF), exclude=False):
        pass


def torch_topk(factors: Factors, users: int) -> Found:
    """Product, exclusion, and torch.topk of every row."""
    return _joined([torch.topk(scores_BI, K, dim=1) for scores_BI in _scored(factors, users)])


def two_stages(factors: Factors, users: int) -> Found:
    """The k best are inside the k groups with the best maxima: the largest of every 16 first, then those groups."""
    return _joined([_of_groups(scores_BI) for scores_BI in _scored(factors, users)])


def faiss_topk(factors: Factors, users: int) -> Found:
    """Search for k more than the users have, then filter; those who have about as much are asked together."""
    import faiss

    index = faiss.IndexFlatIP(FACTORS)
    index.add(factors.item_IF)
    degree_U = np.diff(factors.seen.indptr)[:users]
    order = np.argsort(degree_U, kind="stable")
    items_UK, scores_UK = np.empty((users, K), np.int64), np.empty((users, K), np.float32)
    for start in range(0, users, 4 * _BLOCK):
        some = order[start : start + 4 * _BLOCK]
        scores_BW, items_BW = index.search(factors.user_UF[some], int(K + degree_U[some].max()))
        seen = factors.seen[some].tocoo()
        had = np.isin(np.arange(len(some))[:, None] * ITEMS + items_BW, seen.row.astype(np.int64) * ITEMS + seen.col)
        kept = ~had & (np.cumsum(~had, axis=1) <= K)
        items_UK[some], scores_UK[some] = items_BW[kept].reshape(-1, K), scores_BW[kept].reshape(-1, K)
    return items_UK, scores_UK


def implicit_topk(factors: Factors, users: int) -> Found:
    """What implicit's models answer with, a thousand users at once."""
    from implicit.cpu.als import AlternatingLeastSquares  # type: ignore[import-not-found]

    model = AlternatingLeastSquares(factors=FACTORS, num_threads=torch.get_num_threads())
    model.user_factors, model.item_factors = factors.user_UF, factors.item_IF
    found = []
    for start in range(0, users, 1000):
        some = np.arange(start, min(start + 1000, users))
        found.append(model.recommend(some, factors.seen[some], N=K, filter_already_liked_items=True))
    return np.concatenate([items for items, _ in found]), np.concatenate([scores for _, scores in found])


def _scored(factors: Factors, users: int, exclude: bool = True) -> Iterator[Tensor]:
    """Yield scores_BI block by block, in one piece of memory; minus infinity at what the users have."""
    user_UF, item_FI = torch.from_numpy(factors.user_UF), torch.from_numpy(factors.item_IF).T
    memory_BI, pointer_U = torch.empty(_BLOCK, ITEMS), factors.seen.indptr
    for start in range(0, users, _BLOCK):
        stop = min(start + _BLOCK, users)
        scores_BI = memory_BI[: stop - start]
        torch.mm(user_UF[start:stop], item_FI, out=scores_BI)
        if exclude:
            row = np.repeat(np.arange(stop - start), np.diff(pointer_U[start : stop + 1]))
            item = factors.seen.indices[pointer_U[start] : pointer_U[stop]]
            scores_BI.view(-1)[torch.from_numpy(row * ITEMS + item)] = -torch.inf
        yield scores_BI


def _of_groups(scores_BI: Tensor) -> tuple[Tensor, Tensor]:
    rows, groups = len(scores_BI), ITEMS // _GROUP
    group_BGC = scores_BI.view(rows, _GROUP, groups)  # group c has the items c, c + groups, c + 2 * groups ...
    chosen_BK = torch.topk(group_BGC.amax(1), K, dim=1, sorted=False).indices
    candidates = torch.gather(group_BGC, 2, chosen_BK[:, None].expand(-1, _GROUP, -1)).reshape(rows, -1)
    score_BK, place_BK = torch.topk(candidates, K, dim=1)
    return score_BK, (place_BK // K) * groups + torch.gather(chosen_BK, 1, place_BK % K)


def _joined(found: list[Any]) -> Found:
    return torch.cat([item for _, item in found]).numpy(), torch.cat([score for score, _ in found]).numpy()
