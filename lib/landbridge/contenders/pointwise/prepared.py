"""Rows as a ranker takes them: ids it knows, tensors, and the past beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landbridge.feed.past import Beside, Past
from landbridge.feed.rows import Rows
from landbridge.feed.scenario_rows import ScenarioRows
from landbridge.models.rankers.questions import Events, Questions


@dataclass(frozen=True)
class Known:
    """Which ids a ranker has an embedding of; the others are unknown to it, though another contender may know them.

    And what it knows of scenarios beside their ids.
    """

    user_U: NDArray[np.bool_]
    item_I: NDArray[np.bool_]
    scenarios: ScenarioRows

    @classmethod
    def fit(cls, rows: Rows, user_rows: int, scenario: Sequence[str] = ()) -> Known:
        """Return the users with at least so many rows, the items that have one, and the features of scenarios."""
        users = np.bincount(rows.user_N, minlength=rows.coding.size("user")) >= user_rows
        items = np.bincount(rows.item_N, minlength=rows.coding.size("item")) > 0
        users[0] = items[0] = False
        return cls(users, items, ScenarioRows.fit(rows, scenario))

    def save(self, file: Path) -> None:
        """Write one ``.npz``."""
        np.savez(file, user=self.user_U, item=self.item_I, scenario=self.scenarios.feature_SF)

    @classmethod
    def load(cls, file: Path) -> Known:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as saved:
            return cls(saved["user"], saved["item"], ScenarioRows(saved["scenario"]))


@dataclass(frozen=True)
class Prepared:
    """N rows; `batch` makes tensors of some of them."""

    rows: Rows
    user_N: NDArray[np.int64]
    item_N: NDArray[np.int64]
    scenario_N: NDArray[np.int64]
    feature_NG: NDArray[np.float32]
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
            known.scenarios.of(scenario_N.astype(np.int64)),
            past,
            None if past is None else past.beside(rows),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index_N: NDArray[Any]) -> Prepared:
        """Return the rows at the index, prepared as they are here."""
        return Prepared(
            self.rows.take(index_N),
            self.user_N[index_N],
            self.item_N[index_N],
            self.scenario_N[index_N],
            self.feature_NG[index_N],
            self.past,
            None if self.beside is None else self.beside.take(index_N),
        )

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
            torch.from_numpy(self.feature_NG[index_B]),
            self._events(index_B),
        )

    def _events(self, index_B: NDArray[Any]) -> Events | None:
        if self.past is None or self.beside is None:
            return None
        if not len(self.past.item_E):
            return _no_events(self.beside.take(index_B))
        beside = self.beside.take(index_B)
        age_BL = self.past.ages(self.rows.moment_N[index_B], beside.event_NL)
        # Nearest first becomes nearest last; a stable order by age then puts the oldest first, after the padding.
        order_BL = np.argsort(np.where(beside.event_NL < 0, -np.inf, -age_BL)[:, ::-1], axis=1, kind="stable")
        order_BL = age_BL.shape[1] - 1 - order_BL
        event_BL = np.take_along_axis(beside.event_NL, order_BL, axis=1)
        pair_BLP = np.take_along_axis(beside.pair_NLP, order_BL[..., None], axis=1)
        none_BL, at_BL = event_BL < 0, np.maximum(event_BL, 0)
        outcome_BLO = self.past.residuals.left_NO[at_BL] + beside.shift_NO[:, None]
        return Events(
            torch.from_numpy(np.where(none_BL, 0, self.past.item_E[at_BL]).astype(np.int64)),
            torch.from_numpy(np.where(none_BL, 0, self.past.scenario_E[at_BL]).astype(np.int64)),
            torch.from_numpy(np.take_along_axis(age_BL, order_BL, axis=1)),
            torch.from_numpy(np.where(none_BL[..., None], np.float32(0.0), outcome_BLO)),
            torch.from_numpy(pair_BLP),
            torch.from_numpy(beside.taste_NT),
        )


def _no_events(beside: Beside) -> Events:
    """Nobody has a past: L is 0."""
    none: NDArray[np.int64] = np.zeros((len(beside.taste_NT), 0), np.int64)
    wide = beside.pair_NLP[:, :0]
    return Events(
        torch.from_numpy(none),
        torch.from_numpy(none),
        torch.from_numpy(none.astype(np.float32)),
        torch.from_numpy(wide[..., :-1]),
        torch.from_numpy(wide),
        torch.from_numpy(beside.taste_NT),
    )
