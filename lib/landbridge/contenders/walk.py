"""A walk of two steps over the items, for users who are new to a scenario.

The first step stays in the scenario of the item, along the nearest of it, and spreads an interest over items like the
one that was had; the second goes wherever transitions lead. So who is known by a few events elsewhere is asked for by
what people with such interests take here, even if nobody with just these items has come over yet. Of a user who has
events here transitions know more, and the walk says nothing.

Rows of the first step add up to one, as in random walks over users and items (Cooper et al. 2014, "Random walks in
recommender systems", P3); the steps are linear as in LightGCN (He et al. 2020, equations 5 to 8), with nothing to be
trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.sequences import Walk as Settings
from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.kinds import cut, homes
from landbridge.contenders.transitions import Transitions, TransitionsFitted
from landbridge.contenders.weights import positions, recent
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Walk(Contender):
    """Fits transitions across scenarios and cuts the first step out of them."""

    settings: Settings
    transitions: Transitions
    name = "walk"
    crosses = True
    pooled = True

    def fit(self, view: View) -> WalkFitted:
        """Keep of every item the nearest at home in its scenario; their weights add up to one."""
        found = self.transitions.beside(view)
        cells, home_M = found.weights.tocoo(), homes(view.interactions)[found.items]
        same = home_M[cells.row] == home_M[cells.col]
        inside = sp.csr_matrix((cells.data[same], (cells.row[same], cells.col[same])), shape=cells.shape)
        first = cut(inside, home_M, self.settings.neighbours)
        total_M = np.maximum(np.asarray(first.sum(axis=1)).ravel(), np.finfo(np.float32).tiny)
        return WalkFitted(sp.csr_matrix(sp.diags(1.0 / total_M) @ first).astype(np.float32), found)


@dataclass(frozen=True)
class WalkFitted(Fitted):
    """Scores are the recency-weighted history times the first step times the transitions.

    Attributes
    ----------
    first
        csr float32 [M, M] over the items of the transitions, rows that add up to one or are empty.
    then
        The transitions.
    """

    kind: ClassVar[str] = "walk"

    first: sp.csr_matrix
    then: TransitionsFitted

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; zero for an item that the walk does not reach, and for users who have events here."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        column, known = positions(self.then.items, catalogue.items)
        past = recent(states, self.then.items, self.then.decay)
        stepped = sp.csr_matrix(sp.diags(states.newcomers().astype(np.float32)) @ past @ self.first)
        rows = np.unique(stepped.indices)
        scores_BC[:, known] = (stepped[:, rows] @ self.then.weights[rows][:, column[known]]).toarray()
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write the first step's arrays, and the transitions as a folder of their own."""
        write_cells(folder, "first", self.first)
        save_fitted(self.then, folder / "then", {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        then = load_fitted(folder / "then")
        assert isinstance(then, TransitionsFitted)
        size = len(then.items)
        return cls(read_cells(folder, "first", (size, size)), then)
