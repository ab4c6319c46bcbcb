"""Batches of an objective for as long as somebody wants them: one of its epochs after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from landbridge.feed.batches import Batch
from landbridge.train.objectives import Objective


@dataclass(frozen=True)
class Epochs:
    """The batches of an objective that has some, a pure function of the epoch of whoever asks: a resumed fit meets
    the same ones.
    """

    objective: Objective

    def batches(self, epoch: int, count: int) -> Iterator[tuple[int, Batch]]:
        """Yield `count` batches for an outer epoch, each with the own epoch that it is of."""
        first = epoch * -(-count // self.objective.steps)
        every = ((own, batch) for own in itertools.count(first) for batch in self.objective.batches(own))
        return itertools.islice(every, count)
