"""Columns to arrays: the one way from tables to what models see, in training, evaluation, the nightly table and `predict`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from landbridge.config.schema import Config
from landbridge.feed.item_features import Day, ItemFeatures
from landbridge.feed.states import Catalogue, States
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake


@dataclass(frozen=True)
class Assembler:
    """Vocabulary, scaling and item features of one night; saved beside every model that learned with it."""

    vocabulary: Vocabulary
    history: int
    """L, the events of a history."""
    user_names: tuple[str, ...]
    user_mean_F: NDArray[np.float64]
    user_scale_F: NDArray[np.float64]
    items: ItemFeatures
    item_mean_G: NDArray[np.float64]
    item_scale_G: NDArray[np.float64]

    @classmethod
    def fit(cls, lake: Lake, config: Config, until: dt.date, known: dt.date | None = None) -> Self:
        """Fit the scaling on the days up to and with `until`.

        Item features are kept for all days up to and with `known` (the ds of the night; default: whatever the
        table holds), because later days are asked about; each question uses only what lies before its day.
        """
        raise NotImplementedError

    @property
    def n_user_features(self) -> int:
        """F."""
        return len(self.user_names)

    @property
    def n_item_features(self) -> int:
        """G."""
        return self.items.width

    def states(self, rows: pa.Table, scenario: str, ts: NDArray[np.int64] | None = None, had: sparse.csr_matrix | None = None) -> States:
        """Return the states of rows of `examples` or `user_state`, in their order, as of `ts`.

        Parameters
        ----------
        rows
            With the columns `history` and the user features; user_id, ts and had (a list of items) are used if there.
        scenario
            What is asked about.
        ts
            Moments in microseconds since the epoch, shape B; default: the column ts.
        had
            What the users have, shape [B, items]; default: the column had if it is a list, else nothing.
        """
        raise NotImplementedError

    def unknown(self, scenario: str, rows: int = 1) -> States:
        """Return the states of users of whom nothing is known."""
        raise NotImplementedError

    def item_features(self, items: ArrayLike, scenario: ArrayLike, day: Day) -> NDArray[np.float32]:
        """Return scaled features [..., G] of item ids in scenario ids, out of days strictly before `day`."""
        raise NotImplementedError

    def catalogue(self, scenario: str, items: NDArray[np.int32], day: Day) -> Catalogue:
        """Return items (ids, any order) of a scenario with their features as of the start of `day`."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """Identity of everything that `states` and `item_features` answer with."""
        raise NotImplementedError

    def frozen(self, day: dt.date) -> Self:
        """Return what answers for the start of `day` only (and for day=None): small, for a bundle."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder: JSON, ``.npz`` without pickle, Arrow."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        raise NotImplementedError
