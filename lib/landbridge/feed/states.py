"""What a model sees of users (States) and of the items it may choose from (Catalogue)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class Catalogue:
    """Items of a scenario with their features as of one moment.

    The first half of the features is about the item in this scenario, the second half about it over all scenarios.
    """

    scenario: int
    items: NDArray[np.int32]
    """items_C, ascending ids."""
    feature_CG: NDArray[np.float32]

    def own_only(self) -> Self:
        """The same without what comes from other scenarios."""
        return replace(self, feature_CG=own_features(self.feature_CG))


@dataclass(frozen=True)
class States:
    """Users as of one moment each, with their last L events; the newest at position L - 1, padding (0) on the left."""

    scenario: int
    """The scenario that is asked about, the same for all rows; 0 is unknown."""
    user_ids: pa.StringArray
    """Ids of the users, shape B; null where nobody needs them (training)."""
    item_BL: NDArray[np.int32]
    scenario_BL: NDArray[np.int32]
    type_BL: NDArray[np.int32]
    outcome_BL: NDArray[np.float32]
    age_BL: NDArray[np.float32]
    """Days from the event to the moment of the state, at least 0."""
    length_B: NDArray[np.int32]
    user_BF: NDArray[np.float32]
    """Scaled user features; 0 where missing."""
    had: sparse.csr_matrix
    """had_BI of ones, float32, as wide as the items of the vocabulary; empty rows in training batches."""

    def __len__(self) -> int:
        """The number of rows B."""
        return len(self.length_B)

    def take(self, rows: NDArray[np.integer[Any]]) -> Self:
        """Return the named rows, in that order."""
        return replace(
            self,
            user_ids=self.user_ids.take(pa.array(rows)),
            item_BL=self.item_BL[rows],
            scenario_BL=self.scenario_BL[rows],
            type_BL=self.type_BL[rows],
            outcome_BL=self.outcome_BL[rows],
            age_BL=self.age_BL[rows],
            length_B=self.length_B[rows],
            user_BF=self.user_BF[rows],
            had=self.had[rows],
        )

    def own(self) -> NDArray[np.bool_]:
        """Return which events are of the scenario that is asked about, BL."""
        own_BL: NDArray[np.bool_] = (self.scenario_BL == self.scenario) & (self.item_BL > 0)
        return own_BL

    def newcomers(self) -> NDArray[np.bool_]:
        """Return who has no event of the scenario that is asked about in his history, B."""
        return np.asarray(~self.own().any(axis=1))

    def own_only(self) -> Self:
        """Return the states without the events of other scenarios, right-aligned again.

        For controls that know their scenario alone. `had` stays: it says what must not be recommended. So do the
        user features: they are the configuration's, over all scenarios, and taking them from the control would
        flatter what crosses.
        """
        own_BL = self.own()
        return self if np.array_equal(own_BL, self.item_BL > 0) else self.keeping(own_BL)

    def replaced(self, rows: NDArray[np.intp], others: Self) -> Self:
        """Return the states with the events of others in some rows, and no user features there."""

        def told(values: NDArray[Any], theirs: Any) -> NDArray[Any]:
            values = values.copy()
            values[rows] = theirs
            return values

        return replace(
            self,
            item_BL=told(self.item_BL, others.item_BL),
            scenario_BL=told(self.scenario_BL, others.scenario_BL),
            type_BL=told(self.type_BL, others.type_BL),
            outcome_BL=told(self.outcome_BL, others.outcome_BL),
            age_BL=told(self.age_BL, others.age_BL),
            length_B=told(self.length_B, others.length_B),
            user_BF=told(self.user_BF, np.float32(0)),
        )

    def keeping(self, kept_BL: NDArray[np.bool_]) -> Self:
        """Return the states with the events of a mask alone, right-aligned again."""
        order_BL = np.argsort(kept_BL, axis=1, kind="stable")

        def aligned(values_BL: NDArray[Any]) -> NDArray[Any]:
            return np.take_along_axis(
                np.where(kept_BL, values_BL, 0).astype(values_BL.dtype, copy=False), order_BL, axis=1
            )

        return replace(
            self,
            item_BL=aligned(self.item_BL),
            scenario_BL=aligned(self.scenario_BL),
            type_BL=aligned(self.type_BL),
            outcome_BL=aligned(self.outcome_BL),
            age_BL=aligned(self.age_BL),
            length_B=kept_BL.sum(axis=1, dtype=np.int32),
        )


def own_features(feature: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return item features with the half that is over all scenarios set to 0, its mean; any shape [..., G]."""
    kept = feature.copy()
    kept[..., feature.shape[-1] // 2 :] = 0.0
    return kept


def no_had(rows: int, items: int) -> sparse.csr_matrix:
    """Return the `had` of users of whom nothing is known."""
    none = np.empty(0, np.int32)
    return sparse.csr_matrix((np.empty(0, np.float32), none, np.zeros(rows + 1, np.int32)), shape=(rows, items))


def of_had(scenario: int, had: sparse.csr_matrix) -> States:
    """Return states of users of whom no more is known than what they have, had_BI."""
    rows = had.shape[0]
    none_BL: NDArray[np.int32] = np.zeros((rows, 1), np.int32)
    zero_BL: NDArray[np.float32] = np.zeros((rows, 1), np.float32)
    return States(
        scenario,
        pa.nulls(rows, pa.string()),
        none_BL,
        none_BL,
        none_BL,
        zero_BL,
        zero_BL,
        np.zeros(rows, np.int32),
        np.zeros((rows, 0), np.float32),
        had,
    )


def right_aligned(length_B: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return, for lists laid end to end, the source of every cell [B, width], and which cells are filled.

    The last element of a list is at the right.
    """
    end_B = np.cumsum(length_B)
    source_BL = end_B[:, None] - width + np.arange(width)[None, :]
    return source_BL, source_BL >= (end_B - length_B)[:, None]
