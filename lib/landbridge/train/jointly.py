"""One network for several scenarios: in every step the examples of those whose turn it is, their losses summed.

The largest scenario takes part in every step, a smaller one in as many as its examples fill, spread over the epoch: so
every example counts once an epoch and as much as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landbridge.feed.batches import Batch
from landbridge.train.objectives import Objective


@dataclass(frozen=True)
class Round:
    """One step of the joint fit: the batches of the scenarios whose turn it is, by their place."""

    step: int
    total: float
    parts: tuple[tuple[int, Batch], ...]


class Jointly(Objective):
    """The objectives of several scenarios over one network."""

    def __init__(self, network: nn.Module, parts: Sequence[Objective]) -> None:
        self.network, self.parts = network, list(parts)

    @property
    def steps(self) -> int:
        """Steps of an epoch: those of the largest scenario."""
        return max((part.steps for part in self.parts), default=0)

    def batches(self, epoch: int) -> Iterator[Round]:  # type: ignore[override]
        """Yield the rounds of an epoch."""
        running = [part.batches(epoch) for part in self.parts]
        for step in range(self.steps):
            turn = [place for place, part in enumerate(self.parts) if _due(step, part.steps, self.steps)]
            drawn = tuple((place, next(running[place])) for place in turn)
            yield Round(step, sum(batch.total for _, batch in drawn), drawn)

    def loss(self, batch: Round, epoch: int) -> tuple[Tensor, float]:  # type: ignore[override]
        """Return the sum of the scenarios' sums."""
        loss, weight = torch.zeros(()), 0.0
        for place, part in batch.parts:
            own, own_weight = self.parts[place].loss(part, epoch)
            loss, weight = loss + own, weight + own_weight
        return loss, weight


def _due(step: int, own: int, steps: int) -> bool:
    """Whether one of `own` turns, spread evenly over `steps`, falls on this step."""
    return (step + 1) * own // steps > step * own // steps
