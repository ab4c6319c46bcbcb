"""Rows as the matrices that models of tables take: numbers, categories as ids, the scenario as one more category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from landbridge.feed.rows import Coding, Rows


def categories(rows: Rows, with_scenario: bool) -> NDArray[np.int32]:
    """Return the ids of the category columns, [N, C], or [N, C + 1] with the scenario's id as the last column."""
    parts = [rows.category_NC, *([rows.scenario_N[:, None]] if with_scenario else [])]
    return np.concatenate(parts, axis=1)


def category_sizes(coding: Coding, with_scenario: bool) -> NDArray[np.int64]:
    """Return the number of ids of each column of `categories`."""
    fields = [*coding.categories, *(["scenario"] if with_scenario else [])]
    return np.array([coding.size(field) for field in fields], np.int64)


@dataclass(frozen=True)
class Scaler:
    """Numbers with the training rows' mean in the place of what is missing, then mean 0 and variance 1."""

    mean_F: NDArray[np.float64]
    scale_F: NDArray[np.float64]

    @classmethod
    def fit(cls, number_NF: NDArray[np.float32]) -> Scaler:
        """Fit; a column without values, or with one value only, becomes zeros."""
        known_NF = ~np.isnan(number_NF)
        count_F = np.maximum(known_NF.sum(axis=0), 1)
        mean_F = np.where(known_NF, number_NF, 0.0).sum(axis=0, dtype=np.float64) / count_F
        centred_NF = np.where(known_NF, number_NF - mean_F, 0.0)
        scale_F = np.sqrt((centred_NF**2).sum(axis=0) / max(len(number_NF), 1))
        return cls(mean_F, np.where(scale_F > 0, scale_F, 1.0))

    def transform(self, number_NF: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scaled numbers, without anything missing."""
        scaled: NDArray[np.float64] = np.nan_to_num((number_NF - self.mean_F) / self.scale_F, nan=0.0)
        return scaled


def one_hot(category_NC: NDArray[np.int32], sizes_C: NDArray[np.int64]) -> sparse.csr_matrix:
    """Return ones at the ids, the columns side by side: csr [N, sum of sizes]."""
    count, columns = category_NC.shape
    start_C = np.concatenate([[0], np.cumsum(sizes_C)[:-1]]).astype(np.int64)
    place = (category_NC + start_C).ravel()
    shape = (count, int(sizes_C.sum()))
    return sparse.csr_matrix((np.ones(len(place)), place, np.arange(count + 1) * columns), shape=shape)
