"""The source's examples beside the target's: in every step a batch of each, and a loss between their users.

An epoch is the target's. The source's examples pass by as many as that takes, others every epoch, and weigh as much as
the target's of the step: a long source must not drown a short target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landbridge.feed.batches import Batch
from landbridge.models.contrast import Encodes
from landbridge.models.histories import histories_of
from landbridge.models.likeness import Likeness, Users
from landbridge.models.noise import Noise
from landbridge.train.objectives import Objective
from landbridge.train.streams import Epochs


@dataclass(frozen=True)
class Pair:
    """One step: the target's batch, and the source's with the epoch of the source that it is of."""

    step: int
    total: float
    target: Batch
    source: Batch
    source_epoch: int


@dataclass
class Beside(Objective):
    """The objectives of target and source over one network, and the likeness of their users; see `beside`.

    Attributes
    ----------
    epochs
        Epochs of the whole fit, of which a likeness may want to know how much lies behind.
    """

    network: nn.Module
    target: Objective
    source: Objective
    likeness: Likeness
    seed: int
    epochs: int

    @property
    def steps(self) -> int:
        """Steps of an epoch: the target's."""
        return self.target.steps

    def batches(self, epoch: int) -> Iterator[Pair]:  # type: ignore[override]
        """Yield the pairs of an epoch."""
        others = Epochs(self.source).batches(epoch, self.steps)
        for batch, (source_epoch, other) in zip(self.target.batches(epoch), others, strict=True):
            yield Pair(batch.step, batch.total + other.total, batch, other, source_epoch)

    def loss(self, batch: Pair, epoch: int) -> tuple[Tensor, float]:  # type: ignore[override]
        """Return the sum of the target's losses, the source's at the same weight, and the likeness."""
        share = batch.target.total / max(batch.source.total, 1.0)
        loss, weight = self.target.loss(batch.target, epoch)
        beside, beside_weight = self.source.loss(batch.source, batch.source_epoch)
        users = self._users(batch.source, batch.source_epoch, share), self._users(batch.target, epoch, 1.0)
        done = (epoch * self.steps + batch.step) / (self.epochs * self.steps)
        alike = self.likeness.loss(self.network, *users, done)
        return loss + share * beside + alike, weight + share * beside_weight

    def _users(self, batch: Batch, epoch: int, share: float) -> Users:
        """Return the vectors of the batch's histories; one weighs as much as its examples."""
        histories = histories_of(batch.states)
        network: Encodes = self.network  # type: ignore[assignment]
        user_HD = network.encoded(histories, Noise(histories.keys(), self.seed, epoch, batch.step))
        weight_H = torch.zeros(len(histories)).index_add_(
            0, torch.from_numpy(batch.pointer_B), torch.from_numpy(batch.weight_B)
        )
        return Users(user_HD, share * weight_H)


def beside(
    network: nn.Module, target: Objective, source: Objective, likeness: Likeness, seed: int, epochs: int
) -> Objective:
    """Return the target's objective with the source's beside it; alone where the source has no examples."""
    return Beside(network, target, source, likeness, seed, epochs) if source.steps else target
