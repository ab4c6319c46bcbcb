"""Percentile intervals over users. Users are resampled, not rows or units, because the rows of a user hang together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_BOUNDS = (0.025, 0.975)


def ratio_intervals(
    sums_UM: NDArray[np.float64], counts_UM: NDArray[np.float64], resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return value, low and high, each of shape M, of the ratios sum over users / count over users.

    A resample draws as many users as there are, with replacement (Efron and Tibshirani 1993, chapter 13); a user comes
    with all that is his. A resample in which nothing is counted is left out; NaN where nothing is counted at all.
    """
    weights_RU = weights_of(len(sums_UM), resamples, seed)
    drawn_RM = _ratio(weights_RU @ sums_UM, weights_RU @ counts_UM)
    value_M = _ratio(sums_UM.sum(axis=0), counts_UM.sum(axis=0))
    low_M, high_M = percentiles(drawn_RM)
    return value_M, low_M, high_M


def linear_interval(value: float, influence_U: NDArray[np.float64], resamples: int, seed: int) -> tuple[float, float]:
    """Return low and high of a statistic that is linear in the users' weights to first order."""
    weights_RU = weights_of(len(influence_U), resamples, seed)
    low, high = percentiles((value + (weights_RU - 1.0) @ influence_U)[:, None])
    return float(low[0]), float(high[0])


def percentiles(drawn_RM: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 2.5 % and the 97.5 % point of every column, without what is NaN."""
    low_M, high_M = np.full(drawn_RM.shape[1], np.nan), np.full(drawn_RM.shape[1], np.nan)
    some_M = ~np.isnan(drawn_RM).all(axis=0)
    if some_M.any():
        drawn = drawn_RM[:, some_M]
        quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
        low_M[some_M], high_M[some_M] = quantile(drawn, _BOUNDS, axis=0)
    return low_M, high_M


def _ratio(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
    return ratio


# The contenders of a scenario are judged on the same users one after the other, so that they share the resamples.
@lru_cache(maxsize=8)
def weights_of(users: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each user is drawn in each resample, [R, U]."""
    generator = np.random.default_rng([seed, users])
    weights_RU = np.empty((resamples, users))
    for row in weights_RU:
        row[:] = np.bincount(generator.integers(0, users, users), minlength=users)
    return weights_RU
