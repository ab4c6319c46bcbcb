"""Embeddings of items: of the id, and beside it what an adaptor makes of the item's vector.

The adaptor is a mixture of experts over whitened vectors (Hou et al. 2022, UniSRec, without the noise of its gate).
Training hides the ids of some items in every step (Volkovs et al. 2017, DropoutNet), so that what reads the embeddings
meets items of whom it knows the vector alone, as it will meet new ones.
"""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.noise import Noise
from landbridge.models.sizes import Adapting
from landbridge.models.whitened import Whitened

_ROWS = 1 << 16
"""Items that are embedded at once where all are."""


class Adaptor(nn.Module):
    """sum_k g_k(x) V_k x with g = softmax(U x): zero for x = 0, so that an item without a vector gets nothing."""

    def __init__(self, given: Adapting, dim: int) -> None:
        super().__init__()
        self.shape = given.experts, dim
        self.experts = nn.Linear(given.width, given.experts * dim, bias=False)
        self.gate = nn.Linear(given.width, given.experts)

    def forward(self, white_NW: Tensor) -> Tensor:
        """Return [N, D] of whitened vectors."""
        said_NKD = self.experts(white_NW).view(-1, *self.shape)
        share_NK = torch.softmax(self.gate(white_NW), dim=1)
        return torch.as_tensor((share_NK[..., None] * said_NKD).sum(1))


class Items(Table):
    """e_i = seen_i id_i + adaptor(vector_i); without an adaptor the table of ids alone.

    `seen` says whose id has been trained: an item that no fit has met has its vector alone. `none_G` are the features
    of an item without events; they say that nobody took it, which is no news of an item that is new.
    """

    seen: Tensor
    none_G: Tensor

    def __init__(self, size: int, dim: int, features: int, given: Adapting) -> None:
        super().__init__(size, dim)
        self.given = given
        self.adaptor = Adaptor(given, dim) if given.width else None
        self.vectors: Whitened | None = None
        self._all: Tensor | None = None
        if given.width:
            self.register_buffer("seen", torch.zeros(size, dtype=torch.bool))
            self.register_buffer("none_G", torch.zeros(features))

    def forward(self, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return rows [..., D] of ids; under noise some of them have their vectors alone."""
        if self.adaptor is None:
            return super().forward(ids)
        if not self.training and not torch.is_grad_enabled():
            known = ids < len(self.seen)
            return self._remembered()[torch.where(known, ids, 0)]
        distinct, place = torch.unique(ids, return_inverse=True)
        return F.embedding(place, self._embedded(distinct, noise))

    def counted(self, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], one where what was learned of the id counts, else zero; it is hidden only beside a vector."""
        counts = self.seen[torch.where(ids < len(self.seen), ids, 0)]
        if noise is not None and self.given.id_dropout > 0:
            counts = counts & ~(noise.hides("ids", ids, self.given.id_dropout) & self.told.knows(ids))
        return counts.float()

    def featured(self, ids: Tensor, feature: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], one where features [..., G] of the items are read, else zero: then they count as average.

        They are not where the id is hidden, and where of a new item nothing is known but its vector.
        """
        counts = self.counted(ids, noise)
        if noise is not None:
            return counts
        return torch.maximum(counts, ((feature != self.none_G).any(-1) | ~self.told.knows(ids)).float())

    @property
    def told(self) -> Whitened:
        """The vectors; whoever makes networks that read some gives them before anything is asked."""
        assert self.vectors is not None
        return self.vectors

    def read(self, vectors: Whitened, none_G: Tensor | None = None) -> None:
        """Take the vectors of tonight's items, and the features of one without events where they are given."""
        self.vectors, self._all = vectors, None
        if none_G is not None:
            self.none_G.copy_(none_G)

    def mark(self, trained_I: Tensor) -> None:
        """Add to those that have been seen the ids that a fit trains."""
        self.seen |= trained_I
        self._all = None

    def train(self, mode: bool = True) -> Self:
        """Forget the embeddings that were kept for scoring, when they are about to change."""
        if mode:
            self._all = None
        return super().train(mode)

    def _embedded(self, ids_N: Tensor, noise: Noise | None) -> Tensor:
        """Return [N, D] of ids that are all different."""
        assert self.adaptor is not None
        own_ND = super().forward(ids_N) * self.counted(ids_N, noise)[:, None]
        return torch.as_tensor(own_ND + self.adaptor(self.told.of(ids_N, self.given.width)))

    def _remembered(self) -> Tensor:
        """Return [I, D] of all ids, made once: whole catalogues are asked for again and again."""
        if self._all is None:
            parts = torch.split(torch.arange(len(self.seen)), _ROWS)
            self._all = torch.cat([self._embedded(part, None) for part in parts])
        return self._all
