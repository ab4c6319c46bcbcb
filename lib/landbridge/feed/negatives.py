"""Items a user did not choose, drawn by counter hashing: a pure function of (seed, epoch, example, statistics as of the fit)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landbridge.config.schema import Negatives
from landbridge.feed.item_features import ItemFeatures
from landbridge.feed.vocabulary import Vocabulary


@dataclass(frozen=True)
class Distribution:
    """What negatives of one scenario are drawn from: count ** power, mixed with a uniform share, over its catalogue as of a day."""

    items: NDArray[np.int32]
    """items_C, ascending."""
    cdf: NDArray[np.float64]
    """Cumulative probability, shape C; the last is 1."""

    @classmethod
    def fit(cls, items: ItemFeatures, settings: Negatives, scenario: int, until: dt.date) -> Self:
        """Count the events of a scenario (its id) up to and with `until`."""
        raise NotImplementedError

    def log_q(self, items: ArrayLike) -> NDArray[np.float32]:
        """Return the log of the probability of item ids, any shape; what is not in the catalogue counts as its rarest item."""
        raise NotImplementedError


def shared_negatives(distribution: Distribution, seed: int, epoch: int, step: int, n: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return item ids and log q, each of shape n, of a step; the same on all ranks, and the same item may come twice."""
    raise NotImplementedError
