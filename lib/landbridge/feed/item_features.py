"""Features of items as of then: windows of cumulative daily counts, by searching sorted (key, day) integers."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landbridge.config.schema import Config
from landbridge.errors import DataError
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

EVERYWHERE = 0
"""In the place of a scenario's id: all scenarios together."""
Day = dt.date | int | NDArray[np.integer[Any]] | None


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of every item in every scenario, day by day; R rows sorted by (key, day), key = scenario * items + item.

    The features of an item are, first for the scenario and then over all scenarios: log(1 + events) within each of
    `windows` days, and the mean of each of `names` over everything before. G = 2 * (windows + names).
    """

    windows: tuple[int, ...]
    names: tuple[str, ...]
    size: int
    """Item ids, 0 included."""
    first: int
    """The first day of the rows, in days since the epoch."""
    span: int
    """Days from the first to the last, both counted."""
    slot_R: NDArray[np.int64]
    """key * (span + 1) + day - first."""
    start_R: NDArray[np.int64]
    """The first row of the row's key."""
    events_R: NDArray[np.int64]
    """Events of the key up to and with the row's day."""
    mean_RN: NDArray[np.float32]
    """Mean of each name over the key's rows up to and with the row's day; NaN where there is none yet."""

    @classmethod
    def load(cls, lake: Lake, vocabulary: Vocabulary, config: Config, until: dt.date | None = None) -> Self:
        """Read `statistics`, streamed, up to and with `until`."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """The number of features, G."""
        return 2 * (len(self.windows) + len(self.names))

    def features(self, items: ArrayLike, scenario: ArrayLike, day: Day) -> NDArray[np.float32]:
        """Return raw features [..., G] of item ids in scenario ids, out of days strictly before `day` (a date or days since the epoch)."""
        raise NotImplementedError

    def counts(self, scenario: int, day: Day) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the items with events in a scenario before `day`, ascending, and how many events."""
        raise NotImplementedError
