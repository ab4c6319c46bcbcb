"""Popularity: how many users have had the item, of all time or of the recent days. It ignores who is asking."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.weights import positions
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States

_TIE_BREAK = 1e-3
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class PopularityFitted(Fitted):
    """One score an item, the same for everybody.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items somebody had.
    scores
        float32[M]; every other item scores zero.
    """

    kind: ClassVar[str] = "popularity"

    items: NDArray[np.int32]
    scores: NDArray[np.float32]

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC, every row alike (a view that must not be written to)."""
        place, known = positions(self.items, catalogue.items)
        scores_C = np.zeros(len(catalogue.items), np.float32)
        scores_C[known] = self.scores[place[known]]
        return np.broadcast_to(scores_C, (states.had.shape[0], len(scores_C)))

    def save(self, folder: Path) -> None:
        """Write items.npy and scores.npy."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        np.save(folder / "scores.npy", self.scores, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        items, scores = (np.load(folder / name, allow_pickle=False) for name in ("items.npy", "scores.npy"))
        return cls(items, scores)


@dataclass(frozen=True)
class Popularity(Contender):
    """Counts distinct users of all time or, with `recent_days`, of the last days, ties broken by all time."""

    crosses: bool = False
    recent_days: int | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return "popularity" + ("_recent" if self.recent_days else "") + ("_across" if self.crosses else "")

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """Across scenarios one count serves all of them."""
        return self.crosses

    def fit(self, view: View) -> PopularityFitted:
        """Count the users of every item."""
        seen = view.interactions if self.crosses else view.interactions.of_scenario(view.scope)
        counts = users_of_items(seen)
        if self.recent_days:
            since = view.until - dt.timedelta(days=self.recent_days)
            counts = users_of_items(seen, since) + _TIE_BREAK * counts
        items = np.flatnonzero(counts).astype(np.int32)
        return PopularityFitted(items, counts[items].astype(np.float32))


def users_of_items(interactions: Interactions, since: dt.date | None = None) -> NDArray[np.float64]:
    """Return how many distinct users had each item on days after `since`; position is the item's id."""
    size = interactions.vocabulary.size("item_id")
    counted = interactions.had
    if since is not None:
        counted = counted & (interactions.day > (since - _EPOCH).days)
    pairs = np.unique(interactions.user[counted].astype(np.int64) * size + interactions.item[counted])
    counts = np.bincount(pairs % size, minlength=size).astype(np.float64)
    counts[0] = 0  # the id 0 is no item
    return counts
