"""Reserve: a list that keeps every n-th place for an item that nobody has had.

What knows items by their buyers ranks a new one behind all others, and rightly so: on the average it is a worse guess.
But nobody ever has an item that is never shown. So two contenders each order what they can judge, the items that
somebody has had and those that nobody has, and the list takes its places from the two in turn; "Explore, exploit,
explain" (McInerney et al. 2018) tells why a share is worth its price, which a study shows beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.base import AloneOrAcross, Contender, Fitted, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Reserve(AloneOrAcross):
    """Fits two contenders: `known` orders what somebody has had, `new` what nobody has.

    Attributes
    ----------
    every
        The list's places n, 2n, 3n ... are for new items.
    """

    crosses: bool
    known: Contender
    new: Contender
    every: int
    stem = "reserve"

    def left_out(self, view: View) -> str | None:
        """Say which of the two is left out, and why."""
        reasons = (part.left_out(view) for part in (self.known, self.new))
        reason = next((one for one in reasons if one is not None), None)
        return None if reason is None else f"{self.name} is left out for {view.scope}, because {reason}"

    def fit(self, view: View) -> ReserveFitted:
        """Fit both, and note what has been had; whoever learns alone knows of his own scenario."""
        log = view.interactions if self.crosses else view.interactions.of_scenario(view.scope)
        items = np.unique(log.item[log.had & (log.item > 0)])
        return ReserveFitted(items.astype(np.int32), self.known.beside(view), self.new.beside(view), self.every)


@dataclass(frozen=True)
class ReserveFitted(Fitted):
    """Scores are 1 / place: the first item of the list has 1, the next 1/2.

    Attributes
    ----------
    items
        int32[M], ascending ids of what somebody has had.
    """

    kind: ClassVar[str] = "reserve"

    items: NDArray[np.int32]
    known: Fitted
    new: Fitted
    every: int

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC. What the user has takes no place; a new item of which nothing is known scores zero."""
        had_BC = states.had[:, catalogue.items].toarray() > 0
        known_C = np.isin(catalogue.items, self.items, assume_unique=True)
        scores_BC = np.zeros(had_BC.shape, np.float32)
        before = _before(self.known.score(states, catalogue)[:, known_C], had_BC[:, known_C])
        scores_BC[:, known_C] = 1 / (before + before // (self.every - 1) + 1)
        new = self.new.score(states, catalogue)[:, ~known_C]
        before = _before(new, had_BC[:, ~known_C])
        scores_BC[:, ~known_C] = (new > 0) / (self.every * (before + 1))
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write items.npy, reserve.json and both fits as folders of their own."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        (folder / "reserve.json").write_text(json.dumps({"every": self.every}) + "\n", encoding="utf-8")
        for name, fitted in (("known", self.known), ("new", self.new)):
            save_fitted(fitted, folder / name, {"contender": name})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        every = int(json.loads((folder / "reserve.json").read_text(encoding="utf-8"))["every"])
        items = np.load(folder / "items.npy", allow_pickle=False)
        return cls(items, load_fitted(folder / "known"), load_fitted(folder / "new"), every)


def _before(scores_BN: NDArray[np.float32], had_BN: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return of every item how many better ones there are that the user lacks, BN; equal scores by their column."""
    sorted_BN = np.argsort(-scores_BN, axis=1, kind="stable")
    free_BN = np.take_along_axis(~had_BN, sorted_BN, axis=1)
    before_BN = np.empty(scores_BN.shape, np.intp)
    np.put_along_axis(before_BN, sorted_BN, np.cumsum(free_BN, axis=1) - free_BN, axis=1)
    return before_BN
