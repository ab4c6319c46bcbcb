"""Biases: levels of items, users, users in a scenario, and how much each rests on (Koren 2008, section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.pointwise.history import Asked, Past
from landbridge.contenders.pointwise.parts import Arrays, Evidence, Features, Part, PartFitted


@dataclass(frozen=True)
class BiasesFitted(PartFitted):
    """The levels of the evidence say it all; nothing else is fitted."""

    kind: ClassVar[str] = "biases"

    def features(self, past: Past, asked: Asked) -> Features:
        """Return levels, counts and spreads, and the user's deviation in the row's scenario."""
        rows, levels = asked.rows, past.levels
        found: Features = {"scenario": rows.scenario_N.astype(np.float32), "items": asked.count_N}
        found["answers"] = levels.count_I[rows.item_N]
        own_N, sum_TN = _in_scenario(past, asked)
        found["items_here"] = own_N
        for t, kind in enumerate(past.answers.kinds):
            item_N, user_N = levels.item_TI[t][rows.item_N], asked.user_TN[t]
            found[f"{kind}.item"], found[f"{kind}.user"] = item_N, user_N
            found[f"{kind}.both"] = levels.mean_T[t] + item_N + user_N
            found[f"{kind}.user_here"] = (sum_TN[t] - user_N * own_N) / (own_N + levels.shrink)
            found[f"{kind}.spread"] = _spread(past, asked, t)
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read nothing."""
        return cls()


@dataclass(frozen=True)
class Biases(Part):
    """Needs no fit beyond the levels."""

    def fit(self, evidence: Evidence) -> BiasesFitted:
        """Return the features' maker."""
        return BiasesFitted()


def _in_scenario(past: Past, asked: Asked) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how many of the user's other items are of the row's scenario, and their deviations' sums [T, N]."""
    answers, rows = past.answers, asked.rows
    cells = answers.users * answers.scenarios
    cell_P = answers.user_P.astype(np.int64) * answers.scenarios + answers.scenario_P
    cell_N = rows.user_N.astype(np.int64) * answers.scenarios + rows.scenario_N
    place_N = answers.find(rows)
    inside_N = (place_N >= 0) & (answers.scenario_P[place_N] == rows.scenario_N) if len(cell_P) else asked.inside_N
    count_N = np.bincount(cell_P, minlength=cells)[cell_N] - inside_N
    deviation_TP = past.levels.deviations(answers)
    sum_TN = [
        np.bincount(cell_P, one_P, cells)[cell_N] - own_N * inside_N
        for one_P, own_N in zip(deviation_TP, asked.own_TN, strict=True)
    ]
    return count_N.astype(np.float32), np.stack(sum_TN).astype(np.float32)


def _spread(past: Past, asked: Asked, t: int) -> NDArray[np.float32]:
    """Return the standard deviation of the user's other deviations."""
    square_P = past.levels.deviations(past.answers)[t].astype(np.float64) ** 2
    square_U = np.bincount(past.answers.user_P, square_P, past.answers.users)
    square_N = square_U[asked.rows.user_N] - asked.own_TN[t] ** 2.0
    count_N = np.maximum(asked.count_N, 1)
    variance_N = np.maximum(square_N / count_N - (asked.sum_TN[t] / count_N) ** 2.0, 0)
    spread: NDArray[np.float32] = np.sqrt(variance_N + 1e-9).astype(np.float32)
    return spread
