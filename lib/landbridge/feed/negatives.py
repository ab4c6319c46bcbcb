"""Items a user did not choose: a pure function of (seed, epoch, example, statistics as of the fit)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landbridge.config.science import Negatives
from landbridge.errors import DataError
from landbridge.feed.hashing import chained, uniform
from landbridge.feed.item_features import ItemFeatures, Snapshot

REDRAWS = 8
"""How often a negative is drawn again that the user has; what is left then gets weight 0."""
_SHARED = 0x5A4D
"""Keeps the draws that a step shares apart from those of the examples."""


@dataclass(frozen=True)
class Distribution:
    """What negatives of one scenario are drawn from.

    count ** power, mixed with a uniform share, over the catalogue as of a day.
    """

    items: NDArray[np.int32]
    """items_C, ascending."""
    cdf: NDArray[np.float64]
    """Cumulative probability, shape C; the last is 1."""

    @classmethod
    def fit(cls, items: ItemFeatures | Snapshot, settings: Negatives, scenario: int, until: dt.date) -> Self:
        """Count the events of a scenario (its id) up to and with `until`."""
        if isinstance(items, Snapshot):
            raise DataError(
                "negatives need the daily statistics, and a frozen assembler has none; give the night's assembler"
            )
        return cls.of(*items.counts(scenario, until + dt.timedelta(days=1)), settings)

    @classmethod
    def of(cls, ids: NDArray[np.int32], counts: NDArray[np.integer[Any]], settings: Negatives) -> Self:
        """Return the distribution over items (ids, ascending) with so many events each."""
        weight = counts.astype(np.float64) ** settings.power
        probability = (
            (1.0 - settings.uniform) * weight / weight.sum() + settings.uniform / len(ids) if len(ids) else weight
        )
        cdf = np.cumsum(probability)
        if len(cdf):
            cdf /= cdf[-1]
        return cls(ids, cdf)

    def pick(self, uniform: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the items at numbers in [0, 1), any shape."""
        return self.items[np.minimum(np.searchsorted(self.cdf, uniform, side="right"), len(self.items) - 1)]

    def log_q(self, items: ArrayLike) -> NDArray[np.float32]:
        """Return the log of the probability of item ids, any shape; outside of it that of the rarest item."""
        asked = np.asarray(items)
        if len(self.items) == 0:
            return np.zeros(asked.shape, np.float32)
        log = np.log(np.diff(self.cdf, prepend=0.0))
        row = np.minimum(np.searchsorted(self.items, asked), len(self.items) - 1)
        return np.where(self.items[row] == asked, log[row], log.min()).astype(np.float32)


class Had(Protocol):
    """Answers which of some items a user had at some moment."""

    def __call__(self, rows: NDArray[np.intp], items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return whether the user of each example (named by its row) had the item beside it; both of one shape."""


def draw(
    distribution: Distribution,
    had: Had,
    seed: int,
    epoch: int,
    example_B: NDArray[np.uint64],
    own_B: NDArray[np.int32],
    n: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return n negatives an example, and their weights, each [B, n].

    Parameters
    ----------
    example_B
        Hashes of the example ids; they, the seed and the epoch decide everything.
    own_B
        The items of the examples, never drawn.

    Drawn with replacement. An item that the user had by then is drawn again, `REDRAWS` times; if the user still has it
    (he has nearly all of a small catalogue) it stays with weight 0.
    """
    shape = (len(example_B), n)
    if len(distribution.items) == 0:
        return np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    stream_B = chained(seed, epoch, example_B)
    row, column = (index.ravel() for index in np.indices(shape))
    item = np.zeros(len(row), np.int32)
    open_ = np.arange(len(row))
    for attempt in range(REDRAWS + 1):
        counter = np.uint64(attempt * n) + column[open_].astype(np.uint64)
        item[open_] = distribution.pick(uniform(chained(stream_B[row[open_]], counter)))
        unfit = had(row[open_], item[open_]) | (item[open_] == own_B[row[open_]])
        open_ = open_[unfit]
        if len(open_) == 0:
            break
    weight = np.ones(len(row), np.float32)
    weight[open_] = 0.0
    return item.reshape(shape), weight.reshape(shape)


def shared_negatives(
    distribution: Distribution, seed: int, epoch: int, step: int, n: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return item ids and log q, shape n, of a step; the same on all ranks, and an item may come twice."""
    if len(distribution.items) == 0:
        return np.zeros(n, np.int32), np.zeros(n, np.float32)
    items = distribution.pick(uniform(chained(seed, _SHARED, epoch, step, np.arange(n))))
    return items, distribution.log_q(items)
