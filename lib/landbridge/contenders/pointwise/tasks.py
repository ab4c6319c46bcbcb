"""Scenarios as tasks: what is learned is where to begin, so that a step on a scenario's rows serves its others.

First-order MAML (Finn et al. 2017, equation 1 and section 5.2), as `train.tasks` has it for lists: one scenario a step,
and every scenario has as many turns as any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.crossing import Meta
from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.models.adapted import adapted, asked_with


@dataclass(frozen=True)
class Turn:
    """One step: the scenario by its place, the rows it adapts to and those it is judged on."""

    place: int
    support: NDArray[np.int64]
    query: NDArray[np.int64]


@dataclass(frozen=True)
class Tasks(Objective):
    """The labels of several scenarios over one ranker, each a task."""

    parts: Sequence[Labels]
    given: Meta

    @property
    def steps(self) -> int:
        """Steps of an epoch: every scenario's turns."""
        return self.given.turns * len(self.parts)

    def batches(self, epoch: int) -> Iterator[Turn]:
        """Yield the turns of an epoch, round after round, in each the scenarios in an order of its own."""
        running = [_endless(part, 2 * self.given.turns * epoch) for part in self.parts]
        for around in range(self.given.turns):
            order = np.random.default_rng([self.parts[0].seed, epoch, around]).permutation(len(self.parts))
            for place in order.tolist():
                yield Turn(place, next(running[place]), next(running[place]))

    def loss(self, batch: Turn, epoch: int, step: int) -> tuple[Tensor, float]:
        """Return the loss of the second batch with the weights adapted to the first, and its weight."""
        part = self.parts[batch.place]
        loss, weight = part.loss(batch.support, epoch, step)
        weights = adapted(part.ranker, loss, weight, self.given.rate, part.ranks)
        found: tuple[Tensor, float] = asked_with(part.ranker, weights, lambda: part.loss(batch.query, epoch, step))
        return found


def _endless(part: Labels, at: int) -> Iterator[NDArray[np.int64]]:
    """Yield the batches of a part from one on, epoch after epoch."""
    first, behind = divmod(at, part.steps)
    every = itertools.chain.from_iterable(part.batches(epoch) for epoch in itertools.count(first))
    return itertools.islice(every, behind, None)
