"""Batches of a rank: equal steps on every rank by construction, the same global batches for any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landbridge.feed.assemble import Assembler
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Shards
from landbridge.feed.states import States


@dataclass(frozen=True)
class Batch:
    """One rank's part of a global batch.

    Rows that would only pad are left out, except that a rank without any row gets one of weight 0, so B varies from
    step to step. The loss of a step is sum(weight * loss) / total over all ranks; `total` is the same on every rank, so
    with averaged gradients a rank's loss is world * sum(weight_B * loss_B) / total.
    """

    step: int
    """Within the epoch, from 0."""
    states: States
    """The H distinct histories of the batch."""
    pointer_B: NDArray[np.int64]
    """Row of `states` of every example."""
    item_B: NDArray[np.int32]
    outcome_B: NDArray[np.float32]
    """The label."""
    had_B: NDArray[np.bool_]
    """Whether the user has the item after this event."""
    new_B: NDArray[np.bool_]
    """Whether the user did not have the item before this moment, in any scenario."""
    day_B: NDArray[np.int32]
    """Day of the example, in days since the epoch."""
    weight_B: NDArray[np.float32]
    """1; 0 for the row of a rank that has none."""
    total: float
    """The sum of weights over all ranks in this step."""
    negative_BN: NDArray[np.int32]
    """Drawn item ids; N is 0 for the retriever."""
    negative_weight_BN: NDArray[np.float32]
    """1; 0 where no item could be drawn that the user lacks."""
    feature_BNG: NDArray[np.float32]
    """Scaled item features as of the day, shape [B, 1 + N, G]; position 0 is `item_B`."""


@dataclass(frozen=True)
class Loader:
    """Hands out the batches of an epoch.

    Raises
    ------
    ConfigError
        On settings under which ranks would see different numbers of steps.
    """

    shards: Shards
    assembler: Assembler
    distribution: Distribution
    batch: int
    """Examples a step over all ranks; a multiple of S."""
    seed: int
    negatives: int = 0
    """Drawn per example; 0 for the retriever."""
    own_only: bool = False
    """For controls: nothing of other scenarios in histories and item features."""

    @property
    def steps(self) -> int:
        """Steps of an epoch, equal on every rank."""
        raise NotImplementedError

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; a pure function of (seed, epoch) and the shards."""
        raise NotImplementedError

    def had(self, batch: Batch, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return whether the user of each of the batch's H states had each of n items by then, shape [H, n]."""
        raise NotImplementedError
