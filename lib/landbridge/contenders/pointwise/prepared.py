"""Rows as a ranker takes them: ids it knows, tensors, and the past beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.feed.past import Beside, Past
from landbridge.feed.rows import Rows
from landbridge.models.rankers.questions import Events, Questions


@dataclass(frozen=True)
class Known:
    """Which ids a ranker has an embedding of; the others are unknown to it, though another contender may know them."""

    user_U: NDArray[np.bool_]
    item_I: NDArray[np.bool_]

    @classmethod
    def fit(cls, rows: Rows, user_rows: int) -> Known:
        """Return the users with at least so many rows, and the items that have one."""
        users = np.bincount(rows.user_N, minlength=rows.coding.size("user")) >= user_rows
        items = np.bincount(rows.item_N, minlength=rows.coding.size("item")) > 0
        users[0] = items[0] = False
        return cls(users, items)


@dataclass(frozen=True)
class Prepared:
    """N rows; `batch` makes tensors of some of them."""

    rows: Rows
    user_N: NDArray[np.int64]
    item_N: NDArray[np.int64]
    scenario_N: NDArray[np.int64]
    past: Past | None
    beside: Beside | None

    @classmethod
    def of(cls, rows: Rows, known: Known, past: Past | None, as_scenario: int | None) -> Prepared:
        """Prepare; the rows are taken to be of `as_scenario` where one is named."""
        scenario_N = rows.scenario_N if as_scenario is None else np.full(len(rows), as_scenario)
        return cls(
            rows,
            np.where(known.user_U[rows.user_N], rows.user_N, 0).astype(np.int64),
            np.where(known.item_I[rows.item_N], rows.item_N, 0).astype(np.int64),
            scenario_N.astype(np.int64),
            past,
            None if past is None else past.beside(rows),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index_B: NDArray[Any]) -> Questions:
        """Return the rows at the index."""
        tags = self.rows.tag_NT[index_B]
        return Questions(
            torch.from_numpy(self.user_N[index_B]),
            torch.from_numpy(self.item_N[index_B]),
            torch.from_numpy(self.scenario_N[index_B]),
            torch.from_numpy(self.rows.number_NF[index_B]),
            torch.from_numpy(self.rows.category_NC[index_B].astype(np.int64)),
            torch.from_numpy(tags.indices.astype(np.int64)),
            torch.from_numpy(tags.indptr[:-1].astype(np.int64)),
            self._events(index_B),
        )

    def _events(self, index_B: NDArray[Any]) -> Events | None:
        if self.past is None or self.beside is None:
            return None
        event_BL, shift_BO = self.beside.event_NL[index_B], self.beside.shift_NO[index_B]
        none_BL, at_BL = event_BL < 0, np.maximum(event_BL, 0)
        if not len(self.past.item_E):
            at_BL = np.zeros((len(index_B), 0), event_BL.dtype)
            none_BL = none_BL[:, :0]
        outcome_BLO = self.past.residuals.left_NO[at_BL] + shift_BO[:, None]
        return Events(
            torch.from_numpy(np.where(none_BL, 0, self.past.item_E[at_BL]).astype(np.int64)),
            torch.from_numpy(np.where(none_BL, 0, self.past.scenario_E[at_BL]).astype(np.int64)),
            torch.from_numpy(np.where(none_BL[..., None], np.float32(0.0), outcome_BLO)),
            torch.from_numpy(self.beside.pair_NLP[index_B][:, : at_BL.shape[1]]),
            torch.from_numpy(self.beside.taste_NT[index_B]),
        )
