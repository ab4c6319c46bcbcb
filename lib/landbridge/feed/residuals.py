"""What came of each event beyond what user, item and scenario let expect: the outcomes that a history carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landbridge.feed.rows import Rows

SHRINK = 5.0
"""Rows that a bias is pulled to zero by."""
ROUNDS = 8


@dataclass(frozen=True)
class Residuals:
    """Biases of users and items by alternating shrunk means (Koren 2008, section 2.1), and what they leave of N rows.

    O channels: the label, and the value where there is one; each divided by its own deviation.
    """

    left_NO: NDArray[np.float32]
    user_UO: NDArray[np.float32]
    """Bias of every user, in the same unit."""
    count_U: NDArray[np.int64]

    @classmethod
    def fit(cls, rows: Rows) -> Residuals:
        """Fit on labelled rows; a missing value is taken as expected, which leaves nothing."""
        channels = [_one(rows, rows.label_N)]
        if not np.isnan(rows.value_N).all():
            channels.append(_one(rows, rows.value_N))
        left, user = (np.stack(parts, axis=1).astype(np.float32) for parts in zip(*channels, strict=True))
        return cls(left, user, np.bincount(rows.user_N, minlength=rows.coding.size("user")))

    def without(self, user_B: NDArray[np.int32], own_BO: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return shift_BO: by how much the residuals of the user's other rows rise once a row of his is left out.

        The user's bias is a shrunk mean over his rows, so each row is a part of all his residuals. A row's own answer
        would be told by the others, were it not taken out: with e the row's residual before the bias b of n rows, the
        bias without it is (b (n + k) - e) / (n + k - 1).
        """
        bias_BO, rows_B = self.user_UO[user_B], self.count_U[user_B][:, None] + SHRINK
        without_BO = (bias_BO * rows_B - (own_BO + bias_BO)) / np.maximum(rows_B - 1.0, 1.0)
        shift_BO: NDArray[np.float32] = (bias_BO - without_BO).astype(np.float32)
        return shift_BO


def _one(rows: Rows, target_N: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    known_N = ~np.isnan(target_N)
    target = np.where(known_N, target_N, 0.0).astype(np.float64)
    target = np.where(known_N, target - target.sum() / max(known_N.sum(), 1), 0.0)
    user = _Means(rows.user_N, known_N, rows.coding.size("user"))
    item = _Means(rows.item_N, known_N, rows.coding.size("item"))
    user_U = np.zeros(rows.coding.size("user"))
    left_N = target
    for _ in range(ROUNDS):
        item_I = item.of(np.where(known_N, target - user_U[rows.user_N], 0.0))
        left_N = np.where(known_N, target - item_I[rows.item_N], 0.0)
        user_U = user.of(left_N)
    left_N = np.where(known_N, left_N - user_U[rows.user_N], 0.0)
    deviation = max(float(left_N.std()), 1e-6)
    return left_N / deviation, user_U / deviation


class _Means:
    """Shrunk means by id; the unknown has none."""

    def __init__(self, id_N: NDArray[np.int32], known_N: NDArray[np.bool_], size: int) -> None:
        self.id_N, self.size = id_N, size
        self.count_I = np.bincount(id_N, known_N, size) + SHRINK

    def of(self, value_N: NDArray[np.float64]) -> NDArray[np.float64]:
        mean_I: NDArray[np.float64] = np.bincount(self.id_N, value_N, self.size) / self.count_I
        mean_I[0] = 0.0
        return mean_I
