"""What the adapters learn: to tell the text taken beside another from the texts of the step's other pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landbridge.config.tuned import TuneEncoder
from landbridge.encode.encoder import Encoder
from landbridge.feed.pairs import Pairs
from landbridge.models.losses import paired
from landbridge.train.ranks import Ranks

CHUNK = 32
"""Texts that pass the network at once, of about one length."""


@dataclass(frozen=True)
class Step:
    """The pairs of a step, over all ranks; `total` is their number, and `step` that of the step in its round."""

    step: int
    pair_B: NDArray[np.intp]

    @property
    def total(self) -> int:
        """B."""
        return len(self.pair_B)


@dataclass
class Pairing:
    """The objective of `train.loop.Loop`, whose epochs are rounds.

    Every rank encodes its share of a step's texts, and computes the loss of all pairs with its own vectors attached
    (see `models.contrast`), so that the gradient is the same for any number of ranks.
    """

    encoder: Encoder
    pairs: Pairs
    settings: TuneEncoder
    ranks: Ranks
    _logq_T: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Know how often each text is met."""
        self._logq_T = self.pairs.logq() if self.settings.log_q else np.zeros(len(self.pairs.texts), np.float32)

    @property
    def network(self) -> nn.Module:
        """What learns."""
        network: nn.Module = self.encoder.network
        return network

    @property
    def steps(self) -> int:
        """Steps of a round."""
        return -(-self.settings.steps // self.settings.rounds)

    def batches(self, epoch: int) -> Iterator[Step]:
        """Yield the steps of a round: the pairs are gone through again and again, in another order each time."""
        size = min(self.settings.batch, len(self.pairs))
        whole = len(self.pairs) // size
        for step in range(self.steps):
            turn, place = divmod(epoch * self.steps + step, whole)
            if step == 0 or place == 0:
                order = self.pairs.order(self.settings.seed, turn)
            yield Step(step, order[place * size : (place + 1) * size])

    def loss(self, batch: Step, epoch: int) -> tuple[Tensor, float]:
        """Return this rank's part of the sum of the losses of a step's pairs, and its number of pairs."""
        pair_B = batch.pair_B
        code_S, place_2B = np.unique(
            np.concatenate([self.pairs.first_P[pair_B], self.pairs.second_P[pair_B]]), return_inverse=True
        )
        vector_SD = self._vectors(code_S)
        first_BD, second_BD = (vector_SD[torch.from_numpy(half)] for half in np.split(place_2B.reshape(-1), 2))
        logq_B = torch.from_numpy(self._logq_T[self.pairs.second_P[pair_B]]).to(vector_SD.device)
        alike_BB = torch.from_numpy(alike(self.pairs, pair_B)).to(vector_SD.device)
        whole = paired(first_BD, second_BD, alike_BB, logq_B, self.settings.temperature).sum()
        # The gradient of each rank is a part of the whole's; its value is told by rank 0 alone, so that it counts once.
        leads = float(self.ranks.leads)
        return (whole - whole.detach() + leads * whole.detach()).cpu(), leads * len(pair_B)

    def _vectors(self, code_S: NDArray[np.int32]) -> Tensor:
        """Return vector_SD of texts, this rank's share of them with a gradient and those of the others as numbers."""
        share = np.array_split(code_S, self.ranks.size)[self.ranks.rank]
        own_nD = encode_in_chunks(self.encoder, [self.pairs.texts[code] for code in share])
        whole_SD, begin = self.ranks.gather(own_nD.detach().cpu())
        whole_SD = whole_SD.to(own_nD.device)
        return torch.cat([whole_SD[:begin], own_nD, whole_SD[begin + len(own_nD) :]])


def alike(pairs: Pairs, pair_B: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return alike_BB: where a pair is no negative of another, because of the same user or of a common text."""
    user_B, first_B, second_B = pairs.user_P[pair_B], pairs.first_P[pair_B], pairs.second_P[pair_B]
    same: NDArray[np.bool_] = user_B[:, None] == user_B
    for one in (first_B, second_B):
        for other in (first_B, second_B):
            same |= one[:, None] == other
    return same


def encode_in_chunks(encoder: Encoder, texts: list[str]) -> Tensor:
    """Return vector_ND of texts; those of about one length pass the network together, which pads the least."""
    if not texts:
        return torch.zeros(0, encoder.network.config.hidden_size, device=encoder.network.device)
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
    chunks = [order[start : start + CHUNK] for start in range(0, len(order), CHUNK)]
    vector_ND = torch.cat([encoder.vectors([texts[place] for place in chunk]) for chunk in chunks])
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return vector_ND[back.to(vector_ND.device)]
