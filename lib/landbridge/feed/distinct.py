"""How many distinct values each scenario has met by each day, in bounded memory.

Adaptive sampling (Wegman; Flajolet 1990): of all values those are kept whose hash lies under a bar, which is halved
whenever too many are kept. So up to `_MOST` values of a scenario the count is exact, and beyond an estimate with a
relative error of about 1.2 / sqrt(_MOST), under half a hundredth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landbridge.feed.hashing import hash_strings

_MOST = 1 << 16
"""Values kept of a scenario."""
_TOP = float(2**64)


class Distinct:
    """The first days of the values of every scenario, or of a sample of them."""

    def __init__(self, scenarios: int, exact: bool = False, most: int = _MOST) -> None:
        self.most = None if exact else most
        self._hash = [np.empty(0, np.uint64) for _ in range(scenarios)]
        self._day = [np.empty(0, np.int64) for _ in range(scenarios)]
        self._bar = [1.0] * scenarios

    def add(self, scenario_N: NDArray[np.int64], day_N: NDArray[np.int64], values: Any) -> None:
        """Take in values (an Arrow array of strings) that scenarios met on days."""
        if len(scenario_N) == 0:
            return
        hash_N = hash_strings(values)
        for scenario in np.unique(scenario_N):
            mine = scenario_N == scenario
            self._merge(int(scenario), hash_N[mine], day_N[mine])

    def daily(self) -> pd.DataFrame:
        """Return scenario, day and count: how many values came for the first time."""
        frames = []
        for scenario, (day, bar) in enumerate(zip(self._day, self._bar, strict=True)):
            days, count = np.unique(day, return_counts=True)
            frames.append(pd.DataFrame({"scenario": scenario, "day": days, "count": count / bar}))
        return pd.concat(frames, ignore_index=True)

    def _merge(self, scenario: int, hash_N: NDArray[np.uint64], day_N: NDArray[np.int64]) -> None:
        under = hash_N < self._bar[scenario] * _TOP if self._bar[scenario] < 1.0 else np.ones(len(hash_N), np.bool_)
        hashes = np.concatenate([self._hash[scenario], hash_N[under]])
        days = np.concatenate([self._day[scenario], day_N[under]])
        order = np.lexsort((days, hashes))
        hashes, first = np.unique(hashes[order], return_index=True)
        days = days[order][first]
        while self.most is not None and len(hashes) > self.most:
            self._bar[scenario] /= 2.0
            under = hashes < self._bar[scenario] * _TOP
            hashes, days = hashes[under], days[under]
        self._hash[scenario], self._day[scenario] = hashes, days
