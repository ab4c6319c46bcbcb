"""The contenders of a pointwise night on the rows that they are judged on: fit A on validation, fit B on test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.config.days import Fit
from landbridge.contenders.base import ALL
from landbridge.contenders.folder import find_fitted, scope_folder
from landbridge.contenders.points import CODING
from landbridge.contenders.pointwise.base import PointFitted
from landbridge.contenders.pointwise.folder import load_point
from landbridge.evaluate.gains import Trial
from landbridge.evaluate.pointwise import auc_of
from landbridge.feed.hashing import hash_strings
from landbridge.feed.questions import Questions
from landbridge.feed.rows import Coding, Rows

JUDGED: dict[Fit, str] = {"A": "validation", "B": "test"}
"""The role that a fit is judged on: it has not learned from it."""
_SMALL = 1e-7


@dataclass(frozen=True)
class JudgedPoints:
    """A contender's probabilities of N rows of a scenario, with what came of them, and whose they are."""

    scenario: str
    contender: str
    split: str
    user_N: NDArray[np.intp]
    """The user's code, the same in all scenarios and splits: the cluster that is resampled."""
    label_N: NDArray[np.bool_]
    score_N: NDArray[np.float32]


def judge_points(models: Path, questions: Questions, users: int) -> list[JudgedPoints]:
    """Return every contender of fits A and B on the rows of every scenario; of more than `users` users a sample."""
    ids = pc.unique(questions.table["user_id"].combine_chunks())
    judged: list[JudgedPoints] = []
    for fit, role in JUDGED.items():
        file = models / "fits" / fit / CODING
        rows = questions.rows((role,), Coding.load(file))
        code_N = pc.index_in(rows.cluster_N, value_set=ids).to_numpy(zero_copy_only=False).astype(np.intp)
        parts = {name: _own(rows, code_N, name, users) for name in rows.scenarios}
        judged += _judge_fit(models, fit, role, parts)
    return judged


def trials_of(judged: Sequence[JudgedPoints], models: Path, scenarios: Sequence[str], metric: str) -> list[Trial]:
    """Return for each scenario what the rule of publishing compares on its validation rows.

    Of AUC a unit is a user and its value AUC + U times the user's influence: the mean is the AUC, and weighing users
    changes it as it changes AUC, to first order (infinitesimal jackknife). Of log loss a unit is a row, and its value
    the logarithm of the probability of what came. A contender takes part if it was judged and has a fit C.
    """
    trials = []
    for scenario in scenarios:
        own = {one.contender: one for one in judged if (one.scenario, one.split) == (scenario, "validation")}
        there = find_fitted(models, "C", scenario)
        having = {name: _units(one, metric) for name, one in own.items() if name in there}
        usable = {name: units for name, units in having.items() if units is not None}
        if not usable:
            # Nothing of it can be judged: the other scenarios decide, see `guard`.
            none: NDArray[np.float64] = np.zeros(0)
            trials.append(Trial(scenario, np.zeros(0, np.int32), 1, dict.fromkeys(there, none)))
            continue
        users = next(iter(usable.values()))[0]
        trials.append(Trial(scenario, users, 1, {name: value for name, (_, value) in usable.items()}))
    return trials


def _units(one: JudgedPoints, metric: str) -> tuple[NDArray[np.int32], NDArray[np.float64]] | None:
    """Return users and values of the units; None where the metric is not defined."""
    if metric == "log_loss":
        return one.user_N.astype(np.int32), -losses(one.label_N, one.score_N)
    users, place_N = np.unique(one.user_N, return_inverse=True)
    found = auc_of(one.label_N, one.score_N, place_N, len(users))
    if np.isnan(found.value):
        return None
    return users.astype(np.int32), found.value + len(users) * found.influence_U


def losses(label_N: NDArray[np.bool_], score_N: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the log loss of each row."""
    clipped_N = np.clip(score_N.astype(np.float64), _SMALL, 1.0 - _SMALL)
    loss_N: NDArray[np.float64] = -np.where(label_N, np.log(clipped_N), np.log1p(-clipped_N))
    return loss_N


def _own(rows: Rows, code_N: NDArray[np.intp], scenario: str, users: int) -> tuple[Rows, NDArray[np.intp]]:
    """Return the rows of a scenario and their users; of too many users those with the smallest hashes."""
    place_N = np.flatnonzero(rows.scenario_N == rows.coding.scenario(scenario))
    own = rows.take(place_N)
    hashed_N = hash_strings(own.cluster_N)
    distinct = np.unique(hashed_N)
    if len(distinct) > users:
        kept_N = hashed_N <= distinct[users - 1]
        return own.take(kept_N), code_N[place_N[kept_N]]
    return own, code_N[place_N]


def _judge_fit(
    models: Path, fit: Fit, role: str, parts: dict[str, tuple[Rows, NDArray[np.intp]]]
) -> Iterator[JudgedPoints]:
    pooled: dict[Path, PointFitted] = {}
    for scenario, (rows, user_N) in parts.items():
        for name, folder in find_fitted(models, fit, scenario).items():
            fitted = pooled.get(folder) or load_point(folder)
            if folder.parent.name == scope_folder(ALL):
                pooled[folder] = fitted
            yield JudgedPoints(scenario, name, role, user_N, rows.label_N > 0, fitted.probability(rows))
