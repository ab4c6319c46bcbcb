"""Judged contenders to rows of the table `metrics`: by scenario, contender, split, window; and all targets pooled."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.evaluate import lists
from landbridge.evaluate.intervals import linear_interval, ratio_intervals
from landbridge.evaluate.judge import Judged
from landbridge.evaluate.metrics import auc, ranking_names

TARGETS = "targets"
"""All targets pooled, a user weighing by his units. AUC is not pooled: scores of two fits do not compare."""
ALL_WINDOWS = -1


@dataclass(frozen=True)
class Row:
    """One value of the table with its interval over users; NaN where it is not defined."""

    scenario: str
    contender: str
    split: str
    window: int
    metric: str
    k: int
    value: float
    low: float
    high: float
    users: int


def rows_of(judged: Sequence[Judged], config: Config) -> list[Row]:
    """Return the rows of everything that was judged, by scenario, split, contender, window."""
    groups: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for one in judged:
        for scenario in (one.scenario, TARGETS) if one.scenario != config.transfer.source else (one.scenario,):
            groups[scenario, one.split, one.contender].append(one)
    rows: list[Row] = []
    # The contenders of a scenario come one after the other, because they share the resamples of its users.
    for (scenario, split, contender), group in sorted(groups.items(), key=lambda item: item[0]):
        windows = sorted({one.window for one in group})
        parts = {window: [one for one in group if one.window == window] for window in windows}
        whole = list(_summary(group, config, scenario != TARGETS))
        rows += [Row(scenario, contender, split, ALL_WINDOWS, *values) for values in whole]
        for window, part in parts.items():
            values_of = whole if len(windows) == 1 else _summary(part, config, scenario != TARGETS)
            rows += [Row(scenario, contender, split, window, *values) for values in values_of]
    return rows


def arrow_rows(rows: Iterable[Row], ds: dt.date, seed: int) -> pa.Table:
    """Return rows with the columns of the table `metrics`; NaN becomes null."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for name, value in vars(row).items():
            columns[name].append(None if isinstance(value, float) and np.isnan(value) else value)
    count = len(columns["value"])
    fixed = {
        "ds": pa.array([ds] * count, pa.date32()),
        "seed": pa.array([seed] * count, pa.int32()),
        "slice": ["all"] * count,
    }
    return pa.table({**fixed, **columns})


def _summary(
    group: Sequence[Judged], config: Config, with_auc: bool
) -> Iterator[tuple[str, int, float, float, float, int]]:
    """Yield metric, k, value, low, high, users of some units taken together."""
    users, user_B = np.unique(np.concatenate([one.user_B for one in group]), return_inverse=True)
    of_lists = [(name, config.guard.k) for name in lists.NAMES]
    names = [*ranking_names(config.evaluate.k), *of_lists, ("gauc", 0), ("log_loss", 0)]
    sums_BM, counts_BM = _sums(group)
    sums_UM, counts_UM = (_by_user(values, user_B, len(users)) for values in (sums_BM, counts_BM))
    value_M, low_M, high_M = ratio_intervals(sums_UM, counts_UM, config.evaluate.resamples, config.seed)
    for column, (metric, k) in enumerate(names):
        counted = int((counts_UM[:, column] > 0).sum())
        if counted:
            yield metric, k, float(value_M[column]), float(low_M[column]), float(high_M[column]), counted
    if with_auc:
        yield ("auc", 0, *_auc(group, user_B, len(users), config), len(users))
        # Of several windows the mean. More users cover more, so that resampling them tells nothing of it.
        covered = float(np.mean([one.coverage for one in group]))
        yield "coverage", config.guard.k, covered, float("nan"), float("nan"), len(users)


def _sums(group: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums and counts by unit, [B, M]: ranking measures, those of lists, GAUC, log loss."""
    ranking_BM = np.concatenate([one.ranking_BM for one in group])
    sparse_BN = np.concatenate([np.column_stack([one.list_BN, one.auc_B]) for one in group])
    loss_B = np.concatenate([np.zeros(len(one.user_B)) if one.loss_B is None else one.loss_B for one in group])
    items_B = np.concatenate([one.items_B * (one.loss_B is not None) for one in group])
    sums = np.column_stack([ranking_BM, np.nan_to_num(sparse_BN), loss_B])
    return sums, np.column_stack([np.ones_like(ranking_BM), ~np.isnan(sparse_BN), items_B]).astype(np.float64)


def _by_user(values_BM: NDArray[np.float64], user_B: NDArray[np.intp], users: int) -> NDArray[np.float64]:
    return np.stack([np.bincount(user_B, column, users) for column in values_BM.T], axis=1)


def _auc(group: Sequence[Judged], user_B: NDArray[np.intp], users: int, config: Config) -> tuple[float, float, float]:
    starts = np.cumsum([0, *(len(one.user_B) for one in group)])[:-1]
    positive, negative = (np.concatenate([pair[0] for pair in side]) for side in _sides(group))
    of_positive, of_negative = (
        user_B[np.concatenate([start + pair[1] for start, pair in zip(starts, side, strict=True)])]
        for side in _sides(group)
    )
    found = auc(positive, negative, of_positive, of_negative, users)
    return (found.value, *linear_interval(found.value, found.influence_U, config.evaluate.resamples, config.seed))


def _sides(group: Sequence[Judged]) -> tuple[list[Any], list[Any]]:
    return [one.positive for one in group], [one.negative for one in group]
