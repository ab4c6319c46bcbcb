"""A contender of two stages as one score over the whole catalogue, for whoever ranks all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.base import Fitted
from landbridge.contenders.folder import best
from landbridge.errors import LakeError
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Staged(Fitted):
    """Scores of the second stage for the `pool` best of the first, which lie above all others.

    It is how a list is made (`contenders.folder.top_k`), gone on with to the end of the catalogue. What the users have
    takes part in the first stage: whoever ranks leaves it out afterwards.
    """

    kind: ClassVar[str] = "staged"

    fitted: Fitted
    pool: int

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC that order the catalogue as both stages do."""
        first_BC = np.array(self.fitted.score(states, catalogue), np.float32)
        if not self.fitted.two_stages:
            return first_BC
        open_BC = first_BC.copy()
        had = states.had.tocoo()
        place = np.minimum(np.searchsorted(catalogue.items, had.col), len(catalogue.items) - 1)
        inside = catalogue.items[place] == had.col
        open_BC[had.row[inside], place[inside]] = -np.inf
        index_BK = best(open_BC, self.pool)
        second_BK = self.fitted.rescore(states, catalogue, index_BK)
        if second_BK is None:
            return first_BC
        # Above all others, in the order of the second stage.
        lift_B1 = first_BC.max(axis=1, keepdims=True) - second_BK.min(axis=1, keepdims=True) + 1.0
        np.put_along_axis(first_BC, index_BK, (second_BK + lift_B1).astype(np.float32), axis=1)
        return first_BC

    def save(self, folder: Path) -> NoReturn:
        """Refuse: the contender itself is what is kept."""
        raise LakeError(f"{folder}: a view of two stages is not saved; save the contender that it shows")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refuse, as `save` does."""
        raise LakeError(f"{folder}: a view of two stages was never saved")
