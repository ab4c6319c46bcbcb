"""The source's rows beside the target's: in every step a batch of each, and a loss between what both read.

As `train.beside` has it for lists: an epoch is the target's, the source's rows pass by as many as that takes, others
every epoch, and weigh as much as the target's of the step. What is made alike is the row as the layers read it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.models.likeness import Likeness, Users

SHOWN = 512
"""Rows of each side that a step makes alike: what a distance costs grows with their square."""

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Beside(Objective):
    """The labels of target and source over one ranker, and a likeness of their rows."""

    target: Labels
    source: Labels
    likeness: Likeness

    @property
    def steps(self) -> int:
        """Steps of an epoch: the target's."""
        return self.target.steps

    def batches(self, epoch: int) -> Iterator[Pair]:
        """Yield a batch of the target and one of the source."""
        yield from zip(self.target.batches(epoch), self._passing(epoch * self.steps), strict=False)

    def loss(self, batch: Pair, epoch: int, step: int) -> tuple[Tensor, float]:
        """Return the sum of the target's losses, the source's at the same weight, and the likeness."""
        share = len(batch[0]) / max(len(batch[1]), 1)
        loss, weight = self.target.loss(batch[0], epoch, step)
        beside, beside_weight = self.source.loss(batch[1], epoch, step)
        done = (epoch * self.steps + step) / (self.target.settings.epochs * self.steps)
        sides = self._shown(self.source, batch[1], share), self._shown(self.target, batch[0], 1.0)
        alike = self.likeness.loss(self.target.ranker, *sides, done)
        return loss + share * beside + alike, weight + share * beside_weight

    def _passing(self, at: int) -> Iterator[NDArray[np.int64]]:
        """Yield the source's batches from one on, epoch after epoch."""
        first, behind = divmod(at, self.source.steps)
        every = itertools.chain.from_iterable(self.source.batches(epoch) for epoch in itertools.count(first))
        return itertools.islice(every, behind, None)

    def _shown(self, side: Labels, batch: NDArray[np.int64], share: float) -> Users:
        """Return the rows that this rank shows, which together weigh as much as the batch."""
        shown = batch[:SHOWN]
        mine = side.mine(shown)
        weight = share * len(batch) / max(len(shown), 1)
        if not len(mine):
            return Users(torch.zeros(0, side.ranker.inputs.width), torch.zeros(0))
        described_BW = side.ranker.described(side.train.batch(mine), side.drop)
        return Users(described_BW, torch.full((len(mine),), weight))
