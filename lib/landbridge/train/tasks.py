"""Scenarios as tasks: what is learned is where to begin, so that a step on a scenario's examples serves its others.

MAML (Finn et al. 2017): a step on one batch of a scenario gives theta' = theta - alpha grad L(theta), and theta moves
by the loss of another batch at theta' (equation 1). The gradient is taken at theta' and passed on to theta as it is,
which leaves out second derivatives (section 5.2, first order). One scenario a step; every scenario has as many turns as
any other, so that the largest does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from landbridge.config.crossing import Meta
from landbridge.feed.batches import Batch
from landbridge.models.adapted import adapted, asked_with
from landbridge.models.together import Together
from landbridge.train.objectives import Objective
from landbridge.train.streams import Epochs


@dataclass(frozen=True)
class Turn:
    """One step: the scenario by its place, the batch it adapts to and the one it is judged on, each with its epoch."""

    step: int
    total: float
    place: int
    support: tuple[int, Batch]
    query: tuple[int, Batch]


class Tasks(Objective):
    """The objectives of several scenarios over one network, each a task."""

    def __init__(self, network: nn.Module, parts: Sequence[Objective], given: Meta, seed: int, ranks: Together) -> None:
        self.network, self.given, self.seed, self.ranks = network, given, seed, ranks
        self.parts = [part for part in parts if part.steps]

    @property
    def steps(self) -> int:
        """Steps of an epoch: every scenario's turns."""
        return self.given.turns * len(self.parts)

    def batches(self, epoch: int) -> Iterator[Turn]:  # type: ignore[override]
        """Yield the turns of an epoch, round after round, in each the scenarios in an order of its own."""
        running = [Epochs(part).batches(epoch, 2 * self.given.turns) for part in self.parts]
        for around in range(self.given.turns):
            order = np.random.default_rng([self.seed, epoch, around]).permutation(len(self.parts))
            for number, place in enumerate(order.tolist()):
                support, query = next(running[place]), next(running[place])
                step = around * len(self.parts) + number
                yield Turn(step, support[1].total + query[1].total, place, support, query)

    def loss(self, batch: Turn, epoch: int) -> tuple[Tensor, float]:  # type: ignore[override]
        """Return the loss of the second batch with the weights adapted to the first, and its weight."""
        part = self.parts[batch.place]
        support_epoch, support = batch.support
        loss, weight = part.loss(support, support_epoch)
        weights = adapted(self.network, loss, weight, self.given.rate, self.ranks)
        own, query = batch.query
        found: tuple[Tensor, float] = asked_with(self.network, weights, lambda: part.loss(query, own))
        return found
