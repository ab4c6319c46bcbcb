"""What the held-out users say of an encoder: whether a text finds the one that its user took beside it.

Vectors are compared as contenders compare them, whitened: what tuning does to their mean and spread is no gain there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landbridge.adapt.objective import encode_in_chunks
from landbridge.encode.encoder import Encoder
from landbridge.feed.pairs import Pairs
from landbridge.feed.whitening import whitening
from landbridge.train.ranks import Ranks

ASKED = 500
"""Pairs that are asked at most; their texts are the catalogue in which each is looked for."""
K = 10


@dataclass(frozen=True)
class Found:
    """Of how many pairs the second text is among the K nearest of the first, and its mean reciprocal rank."""

    recall: float
    mrr: float

    def better_than(self, other: Found) -> bool:
        """Whether it is chosen before another: by the reciprocal rank, which moves where the recall does not."""
        return self.mrr > other.mrr


class HeldOut:
    """The same questions after every round."""

    def __init__(self, pairs: Pairs, seed: int) -> None:
        chosen = pairs.order(seed, 0)[:ASKED]
        code_S, place = np.unique(np.concatenate([pairs.first_P[chosen], pairs.second_P[chosen]]), return_inverse=True)
        self.texts = [pairs.texts[code] for code in code_S]
        self.first_Q, self.second_Q = (torch.from_numpy(half) for half in np.split(place.reshape(-1), 2))

    def ask(self, encoder: Encoder, ranks: Ranks) -> Found:
        """Return what is found, the same on every rank; each encodes a share of the texts."""
        vector_SD = self._vectors(encoder, ranks)
        score_QS = vector_SD[self.first_Q] @ vector_SD.T
        score_QS.scatter_(1, self.first_Q[:, None], -torch.inf)
        own_Q1 = score_QS.gather(1, self.second_Q[:, None])
        rank_Q = (score_QS > own_Q1).sum(1)
        return Found(float((rank_Q < K).float().mean()), float((1.0 / (1.0 + rank_Q)).mean()))

    def _vectors(self, encoder: Encoder, ranks: Ranks) -> Tensor:
        share = np.array_split(np.arange(len(self.texts)), ranks.size)[ranks.rank]
        with torch.no_grad():
            own_nD = encode_in_chunks(encoder, [self.texts[place] for place in share])
            whole_SD, _ = ranks.gather(own_nD.cpu())
        mean_D, turn_DD = whitening(whole_SD.numpy())
        white_SD = (whole_SD - torch.from_numpy(mean_D)) @ torch.from_numpy(turn_DD)
        return torch.nn.functional.normalize(white_SD, dim=1)
