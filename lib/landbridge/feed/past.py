"""The user's past beside each row of a pointwise task: his other training rows, those nearest to the candidate first.

A general search by the candidate before attention is SIM (Pi et al. 2020, section 4.1). A row's past are the user's
training rows of an earlier moment; where all training rows bear one moment there is no time, and it is his others. A
row's own pair of user and item is in nothing that is shown beside it: not among the events, and not in the
similarities, tastes and residuals, from which its part is taken out exactly. Those three are sums over training rows of
any moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.feed.likeness import Likeness
from landbridge.feed.residuals import Residuals
from landbridge.feed.rows import Rows

BLOCK = 8192
"""Rows whose pasts are searched at once."""
SMALL = 1e-3


@dataclass(frozen=True)
class Beside:
    """The past of N rows: at most L events each, nearest first; event -1 is none. Widths as in the rankers' `Events`.

    `outcome` of an event is that of the event plus `shift_NO` of the row.
    """

    event_NL: NDArray[np.int32]
    pair_NLP: NDArray[np.float32]
    shift_NO: NDArray[np.float32]
    taste_NT: NDArray[np.float32]

    def take(self, index: NDArray[Any]) -> Beside:
        """Return that of some rows."""
        return Beside(self.event_NL[index], self.pair_NLP[index], self.shift_NO[index], self.taste_NT[index])


@dataclass(frozen=True)
class Past:
    """Training rows as events, one for each pair of user and item; `moment_E` is as `Rows.moment_N`."""

    user_E: NDArray[np.int32]
    item_E: NDArray[np.int32]
    scenario_E: NDArray[np.int32]
    moment_E: NDArray[np.float64]
    residuals: Residuals
    likeness: Likeness
    length: int
    """L."""
    across: bool
    """Whether a row sees events of other scenarios."""
    scenarios: int

    @classmethod
    def fit(cls, rows: Rows, length: int, across: bool, neighbours: int, shrink: float) -> Self:
        """Fit on labelled training rows; of rows that repeat a pair the last one counts."""
        coding = rows.coding
        pair_N = rows.user_N.astype(np.int64) * coding.size("item") + rows.item_N
        last = len(rows) - 1 - np.unique(pair_N[::-1], return_index=True)[1]
        kept = rows.take(np.sort(last[(rows.user_N[last] > 0) & (rows.item_N[last] > 0)]))
        residuals = Residuals.fit(kept)
        shape, at = (coding.size("user"), coding.size("item")), (kept.user_N, kept.item_N)
        left = [sp.csr_matrix((column, at), shape) for column in residuals.left_NO.T]
        had = sp.csr_matrix((np.ones(len(kept), np.float32), at), shape)
        likeness = Likeness.fit(had, left, neighbours, shrink)
        scenarios = coding.size("scenario")
        events = (kept.user_N, kept.item_N, kept.scenario_N, kept.moment_N)
        return cls(*events, residuals, likeness, length, across, scenarios)

    @property
    def outcomes(self) -> int:
        """O: the channels of an outcome."""
        return int(self.residuals.left_NO.shape[1])

    @property
    def widths(self) -> dict[str, int]:
        """How wide the parts of `Beside` are."""
        return {"outcomes": self.outcomes, "pairs": self.outcomes + 1, "tastes": 2 * (self.outcomes + 1)}

    @property
    def timed(self) -> bool:
        """Whether the events have moments of their own, so that there is a before and an after."""
        return len(self.moment_E) > 0 and float(np.nan_to_num(np.ptp(self.moment_E))) > 0.0

    def ages(self, moment_N: NDArray[np.float64], event_NL: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return how many days before its row each event was; 0 where there is no time, or no event."""
        if not self.timed:
            return np.zeros(event_NL.shape, np.float32)
        age_NL = self._asked(moment_N)[:, None] - self.moment_E[np.maximum(event_NL, 0)]
        ages: NDArray[np.float32] = np.where(event_NL < 0, 0.0, np.maximum(age_NL, 0.0)).astype(np.float32)
        return ages

    def _asked(self, moment_N: NDArray[np.float64]) -> NDArray[np.float64]:
        """The moments of rows; one that is not told is after all that is known."""
        last = np.nextafter(self.moment_E.max(), np.inf)
        return np.where(np.isnan(moment_N), last, moment_N)

    def beside(self, rows: Rows) -> Beside:
        """Return the past of rows in the ids of the coding that the training rows had."""
        events, tastes = self._events(), self._tastes()
        starts = range(0, max(len(rows), 1), BLOCK)
        asked_N = self._asked(rows.moment_N) if self.timed else np.full(len(rows), np.inf)
        parts = [
            self._block(
                rows.user_N[at : at + BLOCK],
                rows.item_N[at : at + BLOCK],
                rows.scenario_N[at : at + BLOCK],
                asked_N[at : at + BLOCK],
                events,
                tastes,
            )
            for at in starts
        ]
        return Beside(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _events(self) -> sp.csr_matrix:
        """Users x items: the number of the event plus one."""
        shape = (len(self.residuals.count_U), self.likeness.near.shape[0])
        return sp.csr_matrix((np.arange(1, len(self.user_E) + 1), (self.user_E, self.item_E)), shape)

    def _tastes(self) -> NDArray[np.float32]:
        """Sums of residuals and counts by user and scenario: [users, scenarios, O + 1]."""
        place_E = self.user_E.astype(np.int64) * self.scenarios + self.scenario_E
        size = len(self.residuals.count_U) * self.scenarios
        columns = [np.bincount(place_E, column, size) for column in self.residuals.left_NO.T]
        columns.append(np.bincount(place_E, minlength=size))
        return np.stack(columns, axis=1).reshape(-1, self.scenarios, self.outcomes + 1).astype(np.float32)

    def _block(
        self,
        user_B: NDArray[np.int32],
        item_B: NDArray[np.int32],
        scenario_B: NDArray[np.int32],
        asked_B: NDArray[np.float64],
        events: sp.csr_matrix,
        tastes: NDArray[np.float32],
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        own_BO = self._own(user_B, item_B, events)
        own_B = ~np.isnan(own_BO[:, 0])
        shift_BO = np.where(own_B[:, None], self.residuals.without(user_B, own_BO), 0.0).astype(np.float32)
        row_E, event_E, pair_E = self._search(user_B, item_B, events)
        if self.timed or not self.across:
            inside = (self.scenario_E[event_E] == scenario_B[row_E]) | self.across
            inside &= (self.moment_E[event_E] < asked_B[row_E]) | (not self.timed)
            row_E, event_E, pair_E = row_E[inside], event_E[inside], pair_E[inside]
        weight_EO, both_E = self.likeness.weights(
            pair_E, item_B[row_E], self.item_E[event_E], own_BO[row_E], self.residuals.left_NO[event_E]
        )
        near_EO = np.maximum(weight_EO, 0.0)
        order = np.lexsort((-near_EO.sum(axis=1), row_E))
        first_B = np.searchsorted(row_E, np.arange(len(user_B)))
        rank = np.arange(len(row_E)) - first_B[row_E]
        kept, rank = order[rank < self.length], rank[rank < self.length]
        event_BL = np.full((len(user_B), self.length), -1, np.int32)
        pair_BLP = np.zeros((len(user_B), self.length, self.outcomes + 1), np.float32)
        event_BL[row_E[kept], rank] = event_E[kept]
        known = np.concatenate([np.log(near_EO[kept] + SMALL), np.log1p(both_E[kept, None])], axis=1)
        pair_BLP[row_E[kept], rank] = known
        return event_BL, pair_BLP, shift_BO, self._taste(user_B, scenario_B, own_BO, shift_BO, tastes)

    def _own(self, user_B: NDArray[np.int32], item_B: NDArray[np.int32], events: sp.csr_matrix) -> NDArray[np.float32]:
        """Residuals of the row's own pair, NaN where training rows lack it."""
        event_B = np.asarray(events[user_B, item_B]).ravel() - 1 if len(user_B) else np.zeros(0, np.int64)
        own_BO = np.full((len(user_B), self.outcomes), np.nan, np.float32)
        own_BO[event_B >= 0] = self.residuals.left_NO[event_B[event_B >= 0]]
        return own_BO

    def _search(
        self, user_B: NDArray[np.int32], item_B: NDArray[np.int32], events: sp.csr_matrix
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return (row, event, pair) where an event's item is near to the row's: no loop over rows, no cross product."""
        had, near = events[user_B], self.likeness.near[item_B]
        found = sp.csr_matrix(had.multiply(_ones(near)))
        pairs = sp.csr_matrix(_ones(had).multiply(near))
        found.sort_indices()
        pairs.sort_indices()
        row_E = np.repeat(np.arange(len(user_B)), np.diff(found.indptr))
        return row_E, found.data.astype(np.int64) - 1, pairs.data.astype(np.int64) - 1

    def _taste(
        self,
        user_B: NDArray[np.int32],
        scenario_B: NDArray[np.int32],
        own_BO: NDArray[np.float32],
        shift_BO: NDArray[np.float32],
        tastes: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Mean residual and log count over the user's rows of the scenario, then over all (or again), without the own.

        The own pair is taken to be of the row's scenario.
        """
        inside_B = ~np.isnan(own_BO[:, 0])
        own_BC = np.concatenate([np.where(inside_B[:, None], own_BO, 0.0), inside_B[:, None]], axis=1)
        scenario_BC = tastes[user_B, scenario_B] - own_BC
        every_BC = tastes[user_B].sum(axis=1) - own_BC if self.across else scenario_BC
        parts = []
        for sum_BC in (scenario_BC, every_BC):
            count_B1 = np.maximum(sum_BC[:, -1:], 0.0)
            mean_BO = (sum_BC[:, :-1] + count_B1 * shift_BO) / (count_B1 + 3.0)
            parts += [mean_BO, np.log1p(count_B1)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def save(self, file: Path) -> None:
        """Write one ``.npz``."""
        near = self.likeness.near
        np.savez(
            file,
            user=self.user_E,
            item=self.item_E,
            scenario=self.scenario_E,
            moment=self.moment_E,
            left=self.residuals.left_NO,
            bias=self.residuals.user_UO,
            count=self.residuals.count_U,
            near=near.indices.astype(np.int32),
            start=near.indptr.astype(np.int64),
            product=self.likeness.product_EO,
            both=self.likeness.both_E,
            square=self.likeness.square_MO,
            facts=np.array([self.likeness.shrink, self.length, self.across, self.scenarios], np.float64),
        )

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as saved:
            given = {name: saved[name] for name in saved.files}
        shrink, length, across, scenarios = given["facts"].tolist()
        items = len(given["square"])
        near = sp.csr_matrix((np.arange(1, len(given["near"]) + 1), given["near"], given["start"]), (items, items))
        likeness = Likeness(near, given["product"], given["both"], given["square"], shrink)
        residuals = Residuals(given["left"], given["bias"], given["count"])
        return cls(
            *(given["user"], given["item"], given["scenario"], given["moment"], residuals, likeness),
            int(length),
            bool(across),
            int(scenarios),
        )


def _ones(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The same places, with ones."""
    return sp.csr_matrix((np.ones(len(matrix.data), np.int64), matrix.indices, matrix.indptr), matrix.shape)
