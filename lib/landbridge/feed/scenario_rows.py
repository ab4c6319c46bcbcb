"""What a scenario of pointwise rows is: how large, for which users, and what its rows are like.

It is what `scenario_features` is to lists. Rows of a snapshot have no day before, so all training rows tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.feed.rows import Rows


@dataclass(frozen=True)
class ScenarioRows:
    """F features of every scenario, each with mean 0 and deviation 1 over the scenarios that have rows.

    `feature_SF` has a line an id; the unknown scenario, and one without rows, have zeros: the mean.
    """

    feature_SF: NDArray[np.float32]

    @classmethod
    def fit(cls, rows: Rows, wanted: Sequence[str]) -> Self:
        """Fit on training rows what `features.scenario` names; nothing is asked of their answers.

        size: the logarithms of rows, users and items. users: mean and spread of the logarithms of their rows. items:
        mean and spread of the numbers.
        """
        size = rows.coding.size("scenario")
        parts = {"size": _sizes, "users": _users, "items": _numbers}
        columns = [column for name in parts if name in wanted for column in parts[name](rows, size)]
        feature_SF = np.stack(columns, axis=1) if columns else np.zeros((size, 0))
        there_S = np.bincount(rows.scenario_N, minlength=size) > 0
        there_S[0] = False
        known = feature_SF[there_S]
        if len(known):
            feature_SF = (feature_SF - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6)
        return cls(np.where(there_S[:, None], feature_SF, 0.0).astype(np.float32))

    @property
    def width(self) -> int:
        """F."""
        return int(self.feature_SF.shape[1])

    def of(self, scenario_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the features NF of scenarios."""
        return self.feature_SF[scenario_N]


Columns = list[NDArray[np.float64]]


def _sizes(rows: Rows, size: int) -> Columns:
    counts = [np.bincount(rows.scenario_N, minlength=size)]
    counts += [np.bincount(_pairs(rows, ids, size)[0], minlength=size) for ids in (rows.user_N, rows.item_N)]
    return [np.log1p(count) for count in counts]


def _users(rows: Rows, size: int) -> Columns:
    scenario_P, times_P = _pairs(rows, rows.user_N, size)
    return _moments(scenario_P, np.log1p(times_P), size)


def _numbers(rows: Rows, size: int) -> Columns:
    found: Columns = []
    for column in rows.number_NF.T:
        known_N = ~np.isnan(column)
        found += _moments(rows.scenario_N[known_N], column[known_N].astype(np.float64), size)
    return found


def _pairs(rows: Rows, id_N: NDArray[np.int32], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the scenario of each distinct pair of it and an id, and how many rows have the pair."""
    pair_P, times_P = np.unique(id_N.astype(np.int64) * size + rows.scenario_N, return_counts=True)
    return pair_P % size, times_P


def _moments(scenario_N: NDArray[Any], value_N: NDArray[np.float64], size: int) -> Columns:
    """Return mean and standard deviation by scenario; zero where there is no value."""
    count_S = np.maximum(np.bincount(scenario_N, minlength=size), 1)
    mean_S = np.bincount(scenario_N, value_N, size) / count_S
    square_S = np.bincount(scenario_N, (value_N - mean_S[scenario_N]) ** 2, size) / count_S
    return [mean_S, np.sqrt(square_S)]
