"""Embeddings of items: of the id, and beside it what adaptors make of the item's vectors (see `adaptors`).

Training hides the ids of some items in every step (Volkovs et al. 2017, DropoutNet), so that what reads the embeddings
meets items of whom it knows the vector alone, as it will meet new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from landbridge.models.adaptors import Adaptor, adaptor_of, by_modality
from landbridge.models.encoder import Table
from landbridge.models.graph import Convolution
from landbridge.models.noise import Noise
from landbridge.models.sizes import Adapting
from landbridge.models.whitened import Whitened

_ROWS = 1 << 16
"""Items that are embedded at once where all are."""


class Items(Table):
    """e_i = seen_i id_i + sum_m adaptor_m(vector_im); without adaptors the table of ids alone.

    `seen` says whose id has been trained: an item that no fit has met has its vector alone. `none_G` are the features
    of an item without events; they say that nobody took it, which is no news of an item that is new. With a `graph`
    what is read of an item is a mean over its neighbours too.
    """

    seen: Tensor
    none_G: Tensor

    def __init__(self, size: int, dim: int, features: int, given: Adapting) -> None:
        super().__init__(size, dim)
        self.given = given
        self.adaptor = adaptor_of(given, dim)
        self.vectors: dict[str, Whitened] = {}
        self.graph: Convolution | None = None
        self._all: Tensor | None = None
        self._step: tuple[Noise, Tensor] | None = None
        if self.adaptor is not None:
            self.register_buffer("seen", torch.zeros(size, dtype=torch.bool))
            self.register_buffer("none_G", torch.zeros(features))

    def forward(self, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return rows [..., D] of ids; under noise some of them have their vectors alone."""
        if self.adaptor is None and self.graph is None:
            return super().forward(ids)
        if not self.training and not torch.is_grad_enabled():
            return self._remembered()[self._inside(ids)]
        if self.graph is not None:
            return F.embedding(self._inside(ids), self._convolved(self.graph, noise))
        distinct, place = torch.unique(ids, return_inverse=True)
        return F.embedding(place, self._embedded(distinct, noise))

    def counted(self, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], one where what was learned of the id counts, else zero; it is hidden only beside a vector."""
        counts = self.seen[self._inside(ids)]
        if noise is not None and self.given.id_dropout > 0:
            counts = counts & ~(noise.hides("ids", ids, self.given.id_dropout) & self.known(ids, noise))
        return counts.float()

    def featured(self, ids: Tensor, feature: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], one where features [..., G] of the items are read, else zero: then they count as average.

        They are not where the id is hidden, and where of a new item nothing is known but its vector.
        """
        counts = self.counted(ids, noise)
        if noise is not None:
            return counts
        return torch.maximum(counts, ((feature != self.none_G).any(-1) | ~self.known(ids)).float())

    def known(self, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], whether any vector of each item is shown."""
        shown = [self.shown(name, ids, noise) for name in self.given.widths]
        return torch.stack(shown).any(0)

    def shown(self, modality: str, ids: Tensor, noise: Noise | None = None) -> Tensor:
        """Return [...], whether items have a vector of a modality, and under noise whether it is not hidden."""
        has = self.vectors[modality].knows(ids)
        if noise is None or self.given.hidden == 0.0:
            return has
        return has & ~noise.hides(f"modality {modality}", ids, self.given.hidden)

    def read(self, vectors: Mapping[str, Whitened], none_G: Tensor | None = None) -> None:
        """Take the vectors of tonight's items by modality, and the features of one without events where given.

        Whoever makes networks that read some gives them before anything is asked.
        """
        self.vectors, self._all = {name: vectors[name] for name in self.given.widths}, None
        if none_G is not None:
            self.none_G.copy_(none_G)

    def mark(self, trained_I: Tensor) -> None:
        """Add to those that have been seen the ids that a fit trains."""
        self.seen |= trained_I
        self._all = None

    def forget(self) -> None:
        """Forget the embeddings that were kept, for scoring and within a step."""
        self._all = self._step = None

    def train(self, mode: bool = True) -> Self:
        """Forget the embeddings that were kept for scoring, when they are about to change."""
        if mode:
            self._all = None
        self._step = None
        return super().train(mode)

    def _embedded(self, ids_N: Tensor, noise: Noise | None) -> Tensor:
        """Return [N, D] of ids that are all different, each by itself."""
        if self.adaptor is None:
            return super().forward(ids_N)
        embedded_ND = super().forward(ids_N) * self.counted(ids_N, noise)[:, None]
        for name, adaptor in by_modality(self.adaptor).items():
            embedded_ND = embedded_ND + self._said(name, adaptor, ids_N, noise)
        return torch.as_tensor(embedded_ND)

    def _said(self, modality: str, adaptor: Adaptor, ids_N: Tensor, noise: Noise | None) -> Tensor:
        """Return [N, D], what a modality adds."""
        white_NW = self.vectors[modality].of(ids_N, adaptor.width)
        if adaptor.missing is None:
            return torch.as_tensor(adaptor(white_NW))
        there_N = (ids_N > 0) & (ids_N < len(self.seen))
        return adaptor.filled(white_NW, self.shown(modality, ids_N, noise), there_N)

    def _remembered(self) -> Tensor:
        """Return [I, D] of all ids, made once: whole catalogues are asked for again and again."""
        if self._all is None:
            parts = torch.split(torch.arange(self.table.num_embeddings), _ROWS)
            all_ID = torch.cat([self._embedded(part, None) for part in parts])
            self._all = all_ID if self.graph is None else self.graph(all_ID)
        return self._all

    def _convolved(self, graph: Convolution, noise: Noise | None) -> Tensor:
        """Return [I, D] of all ids, made once a step: a step asks several times, and has one noise for all."""
        if noise is None or self._step is None or self._step[0] is not noise:
            all_ID = graph(self._embedded(torch.arange(self.table.num_embeddings), noise))
            if noise is None:
                return torch.as_tensor(all_ID)
            self._step = noise, all_ID
        return self._step[1]

    def _inside(self, ids: Tensor) -> Tensor:
        """Return ids, the unknown's for those beyond the table."""
        return torch.where(ids < self.table.num_embeddings, ids, 0)
