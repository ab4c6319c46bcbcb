"""Judged rows of a pointwise night to rows of the table `metrics`, with intervals that resample users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landbridge.evaluate.intervals import linear_interval, percentiles, ratio_intervals, weights_of
from landbridge.evaluate.point_judge import JudgedPoints, losses
from landbridge.evaluate.pointwise import all_metrics, auc_of, user_auc
from landbridge.evaluate.table import ALL_WINDOWS, Row

EVERYTHING = "*"
"""The scenario of the rows over all scenarios: probabilities of different fits compare."""
Bounds = tuple[float, float]
_NONE: Bounds = (float("nan"), float("nan"))
_CELLS = 4_000_000
"""Weights of rows in memory at once."""


def point_rows(judged: Sequence[JudgedPoints], resamples: int, seed: int) -> list[Row]:
    """Return the rows of everything that was judged, by scenario, split, contender; the one window, and all of them.

    Over all scenarios a contender is judged where every scenario has it.
    """
    groups: dict[tuple[str, str, str], list[JudgedPoints]] = defaultdict(list)
    scenarios: dict[str, set[str]] = defaultdict(set)
    for one in judged:
        scenarios[one.split].add(one.scenario)
        for scenario in (one.scenario, EVERYTHING):
            groups[scenario, one.split, one.contender].append(one)
    found: list[Row] = []
    for (scenario, split, contender), group in sorted(groups.items(), key=lambda item: item[0]):
        if scenario == EVERYTHING and len(group) < len(scenarios[split]):
            continue
        label_N, score_N, user_N = (
            np.concatenate([getattr(one, name) for one in group]) for name in ("label_N", "score_N", "user_N")
        )
        for metric, value, (low, high), users in summary(label_N, score_N, user_N, resamples, seed):
            found += [
                Row(scenario, contender, split, window, metric, 0, value, low, high, users)
                for window in (ALL_WINDOWS, 0)
            ]
    return found


def summary(
    label_N: NDArray[np.bool_], score_N: NDArray[np.float32], user_N: NDArray[np.intp], resamples: int, seed: int
) -> list[tuple[str, float, Bounds, int]]:
    """Return metric, value, bounds and users of some rows, for all metrics that are defined.

    AUC moves with the users' weights to first order, and whatever is a ratio of sums exactly; average precision and KS
    are computed anew for each resample. ECE has no interval: noise adds to it, so that its resamples lie above it.
    """
    users, place_N = np.unique(user_N, return_inverse=True)
    values = all_metrics(label_N, score_N, place_N)
    bounds = _ratios(label_N, score_N, place_N, len(users), resamples, seed)
    if not np.isnan(values["auc"]):
        influence_U = auc_of(label_N, score_N, place_N, len(users)).influence_U
        bounds["auc"] = linear_interval(values["auc"], influence_U, resamples, seed)
        bounds |= curves(label_N, score_N, place_N, len(users), resamples, seed)
    return [(name, value, bounds.get(name, _NONE), len(users)) for name, value in values.items() if not np.isnan(value)]


def curves(
    label_N: NDArray[np.bool_],
    score_N: NDArray[np.float32],
    place_N: NDArray[np.intp],
    users: int,
    resamples: int,
    seed: int,
) -> dict[str, Bounds]:
    """Return the bounds of average precision and of KS: each resample weighs the rows of one sorting."""
    weights_RU = weights_of(users, resamples, seed)
    order = np.argsort(-score_N, kind="stable")
    end_T = np.flatnonzero(np.diff(score_N[order], append=np.nan) != 0)
    label, place = label_N[order].astype(np.float64), place_N[order]
    found: NDArray[np.float64] = np.full((resamples, 2), np.nan)
    block = max(1, _CELLS // len(label_N))
    for start in range(0, resamples, block):
        weight_RN = weights_RU[start : start + block][:, place]
        above_RT = np.cumsum(weight_RN, axis=1)[:, end_T]
        true_RT = np.cumsum(weight_RN * label, axis=1)[:, end_T]
        found[start : start + block] = _curves(above_RT, true_RT)
    low, high = percentiles(found)
    return {name: (float(low[at]), float(high[at])) for at, name in enumerate(("pr_auc", "ks"))}


def _curves(above_RT: NDArray[np.float64], true_RT: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return average precision and KS, [R, 2], of the rows and the positives down to each of T thresholds."""
    false_RT = above_RT - true_RT
    with np.errstate(invalid="ignore", divide="ignore"):
        recall_RT, fall_RT = true_RT / true_RT[:, -1:], false_RT / false_RT[:, -1:]
        precision_RT = np.where(above_RT > 0, true_RT / above_RT, 0.0)
    gained_RT = np.diff(recall_RT, axis=1, prepend=0.0)
    return np.stack([(gained_RT * precision_RT).sum(axis=1), (recall_RT - fall_RT).max(axis=1)], axis=1)


def _ratios(
    label_N: NDArray[np.bool_],
    score_N: NDArray[np.float32],
    place_N: NDArray[np.intp],
    users: int,
    resamples: int,
    seed: int,
) -> dict[str, Bounds]:
    one_N, said_N, label = np.ones(len(label_N)), (score_N >= 0.5).astype(np.float64), label_N.astype(np.float64)
    both_N = said_N * label
    parts = {
        "log_loss": (losses(label_N, score_N), one_N),
        "pcoc": (score_N.astype(np.float64), label),
        "accuracy": (1.0 - np.abs(said_N - label), one_N),
        "precision": (both_N, said_N),
        "recall": (both_N, label),
        "f1": (2.0 * both_N, said_N + label),
    }
    sums = [np.bincount(place_N, above, users) for above, _ in parts.values()]
    counts = [np.bincount(place_N, below, users) for _, below in parts.values()]
    shares_U = user_auc(label_N, score_N.astype(np.float64), place_N)
    sums.append(np.nan_to_num(shares_U))
    counts.append((~np.isnan(shares_U)).astype(np.float64))
    _, low, high = ratio_intervals(np.stack(sums, axis=1), np.stack(counts, axis=1), resamples, seed)
    return {name: (float(low[at]), float(high[at])) for at, name in enumerate((*parts, "gauc"))}
