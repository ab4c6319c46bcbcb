"""Vectors of users and items smoothed over who liked what: LightGCN (He et al. 2020), here over two scenarios at once.

Users and items of both scenarios make one graph, with an edge where a training row has a positive label; the users that
both have carry what is learned from one to the other (the transfer of BiTGCF, Liu et al. 2020). Layers are LightGCN's:
e' = D^-1/2 A D^-1/2 e, and what is read is the mean of all of them.

An edge says the answer of the row that it is made of. So the pairs of training rows fall into folds, by hash, and
whoever asks about such a pair is answered from the graph without its fold, while the ranker learns and later. Without
that a network learns to trust an answer that it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.initial import mix
from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Carried, Vectors

FOLDS = 5


def folds(pair_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the fold of each pair, from 1."""
    return (mix(pair_N.astype(np.uint64)) % np.uint64(FOLDS)).astype(np.int64) + 1


class Graph(Carried):
    """E edges between U users and I items; T pairs have been trained on, liked or not.

    A pair's number is user * I + item; `liked_E` and `trained_T` hold numbers, ascending.
    """

    def __init__(self, users: int, items: int, edges: int, pairs: int, layers: int) -> None:
        super().__init__()
        self.users, self.items, self.layers = users, items, layers
        self.register_buffer("liked_E", torch.zeros(edges, dtype=torch.int64))
        self.register_buffer("trained_T", torch.zeros(pairs, dtype=torch.int64))
        self._graphs: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, vectors: Mapping[str, Tensor], id_B: Mapping[str, Tensor], tables: nn.ModuleDict) -> Vectors:
        """Return the vectors of users and items over the graph, each row's without its own fold."""
        fold_B = torch.from_numpy(self.folds(id_B["user"].numpy(), id_B["item"].numpy()))
        found = {name: torch.zeros_like(vectors[name]) for name in ("user", "item")}
        for fold in torch.unique(fold_B).tolist():
            own_B = torch.where(fold_B == fold)[0]
            smoothed = dict(zip(found, self._smoothed(fold, tables), strict=True))
            for name in found:
                found[name] = found[name].index_put((own_B,), smoothed[name][id_B[name][own_B]])
        return found

    def folds(self, user_B: NDArray[Any], item_B: NDArray[Any]) -> NDArray[np.int64]:
        """Return the fold of each row's pair; 0, the whole graph, where it has not been trained on."""
        pair_B, trained_T = user_B.astype(np.int64) * self.items + item_B, self.get_buffer("trained_T").numpy()
        place_B = np.searchsorted(trained_T, pair_B).clip(max=max(len(trained_T) - 1, 0))
        met_B = trained_T[place_B] == pair_B if len(trained_T) else np.zeros(len(pair_B), np.bool_)
        return np.where(met_B, folds(pair_B), 0)

    def _smoothed(self, fold: int, tables: nn.ModuleDict) -> tuple[Tensor, Tensor]:
        """Return the means over all layers, of users [U, D] and items [I, D]."""
        user, item = tables["user"], tables["item"]
        assert isinstance(user, Table)
        assert isinstance(item, Table)
        liked_UI, liked_IU = self._without(fold)
        user_UD, item_ID = user.table.weight, item.table.weight
        users, items = [user_UD], [item_ID]
        for _ in range(self.layers):
            user_UD, item_ID = _product(item_ID, liked_UI, liked_IU), _product(user_UD, liked_IU, liked_UI)
            users.append(user_UD)
            items.append(item_ID)
        return torch.stack(users).mean(0), torch.stack(items).mean(0)

    def _without(self, fold: int) -> tuple[Tensor, Tensor]:
        """Return the normalised graph [U, I] without a fold, and turned [I, U]; made once."""
        if fold not in self._graphs:
            pair_E = self.get_buffer("liked_E").numpy()
            pair_E = pair_E[folds(pair_E) != fold]
            user_E, item_E = torch.from_numpy(pair_E // self.items), torch.from_numpy(pair_E % self.items)
            degree_E = torch.bincount(user_E)[user_E] * torch.bincount(item_E)[item_E]
            weight_E = degree_E.double().rsqrt().float()
            shape = (self.users, self.items)
            pair_2E = torch.stack([user_E, item_E])
            whole_UI = torch.sparse_coo_tensor(pair_2E, weight_E, shape, check_invariants=True).coalesce()
            self._graphs[fold] = whole_UI, whole_UI.t().coalesce()
        return self._graphs[fold]


class _Product(torch.autograd.Function):
    """A sparse matrix times a dense one; the gradient needs the matrix turned, which is at hand."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, matrix: Tensor, turned: Tensor) -> Tensor:
        ctx.turned = turned
        return torch.as_tensor(torch.sparse.mm(matrix, value))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return torch.sparse.mm(ctx.turned, gradient), None, None


def _product(value: Tensor, matrix: Tensor, turned: Tensor) -> Tensor:
    return torch.as_tensor(_Product.apply(value, matrix, turned))  # type: ignore[no-untyped-call]


def connect(ranker: PointRanker, edges: int, pairs: int, layers: int) -> Graph:
    """Put a graph under a ranker's users and items, in place; edges and pairs are yet to be filled in."""
    sizes = ranker.sizes
    ranker.inputs.carried = made = Graph(sizes.users, sizes.items, edges, pairs, layers)
    return made
