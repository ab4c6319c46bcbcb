"""Features with mean 0 and deviation 1, out of sums over the training days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.lake.lake import Lake

_LIMIT = 10.0
"""Scaled features are clipped to this many standard deviations: one absurd price must not blow a network up."""


def scaled(raw: NDArray[Any], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return features with mean 0 and deviation 1, clipped; a missing one (NaN) is at the mean."""
    out = (raw - mean) / scale
    np.clip(out, -_LIMIT, _LIMIT, out=out)
    return np.nan_to_num(out, copy=False, nan=0.0).astype(np.float32)


def user_scaling(lake: Lake, names: tuple[str, ...], until: dt.date) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the user features out of the days' sums."""
    rows = lake.read(
        "statistics",
        until=until,
        columns=["ds", "scenario", "feature", "count", "sum", "sum_squares"],
        where=pc.field("feature").isin(pa.array([f"user.{name}" for name in names], pa.string())),
    )
    rows = rows.sort_by([("ds", "ascending"), ("scenario", "ascending")])
    mean, scale = np.zeros(len(names)), np.ones(len(names))
    for position, name in enumerate(names):
        own = rows.filter(pc.field("feature") == f"user.{name}")
        count = int(own["count"].to_numpy().sum())
        if count:
            mean[position] = own["sum"].to_numpy().sum() / count
            scale[position] = _scale(own["sum_squares"].to_numpy().sum() / count - mean[position] ** 2, mean[position])
    return mean, scale


def item_scaling(raw: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of the columns, without what is missing."""
    mean, scale = np.zeros(raw.shape[1]), np.ones(raw.shape[1])
    for column in range(raw.shape[1]):
        values = raw[:, column].astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            mean[column] = values.mean()
            scale[column] = _scale(values.var(), mean[column])
    return mean, scale


def _scale(variance: float, mean: float) -> float:
    """A standard deviation; 1 where a feature is constant but for rounding."""
    return float(np.sqrt(variance)) if variance > 1e-9 * (1.0 + mean * mean) else 1.0
