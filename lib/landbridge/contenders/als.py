"""ALS: alternating least squares for implicit feedback (Hu, Koren and Volinsky 2008, "Collaborative Filtering for
Implicit Feedback Datasets").

The same objective as Spark ML's ALS with ``implicitPrefs``, computed here in numpy, because who fits contenders has no
Spark: with c = 1 + alpha where user u has item i and else 1, it minimises

    sum_ui c_ui (p_ui - x_u . y_i)^2 + regularization * (sum_u n_u |x_u|^2 + sum_i n_i |y_i|^2)

where n counts the pairs of a user or an item (Zhou et al. 2008, weighted lambda). The users' side is not kept: a user's
vector is solved from what he has when he is scored, which is the last half step, so whoever comes tomorrow has one too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.science import Als as Settings
from landbridge.contenders.base import AloneOrAcross, Fitted, View
from landbridge.contenders.folder import blocks
from landbridge.contenders.weights import columns_of, evidence, positions
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Als(AloneOrAcross):
    """Factors of the scenario's own pairs of user and item, or of all scenarios' pairs together."""

    settings: Settings
    crosses: bool = False
    stem = "als"

    def fit(self, view: View) -> AlsFitted:
        """Alternate, the users first; items begin with small random vectors that the seed draws."""
        seen, given = evidence(view, 1.0 if self.crosses else None), self.settings
        pairs = seen.pairs[np.flatnonzero(np.diff(seen.pairs.indptr))]
        draw = np.random.default_rng(view.config.seed)
        item_MF = draw.normal(size=(len(seen.items), given.factors)) / np.sqrt(given.factors)
        by_item = sp.csr_matrix(pairs.T)
        for _ in range(given.iterations):
            user_UF = half_step(pairs, item_MF, given.alpha, given.regularization)
            item_MF = half_step(by_item, user_UF, given.alpha, given.regularization)
        return AlsFitted(seen.items, item_MF.astype(np.float32), given.alpha, given.regularization)


@dataclass(frozen=True)
class AlsFitted(Fitted):
    """Scores are the product of the user's vector, solved from what he has, and the item's.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items that have a vector.
    item_MF
        Their vectors, float32.
    alpha, regularization
        Those of the fit.
    """

    kind: ClassVar[str] = "als"

    items: NDArray[np.int32]
    item_MF: NDArray[np.float32]
    alpha: float
    regularization: float

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item without a vector scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        if len(self.items) == 0:
            return scores_BC
        place, known = positions(self.items, catalogue.items)
        had_BM = columns_of(states.had, self.items)
        user_BF = half_step(had_BM, self.item_MF.astype(np.float64), self.alpha, self.regularization)
        scores_BC[:, known] = user_BF.astype(np.float32) @ self.item_MF[place[known]].T
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write items.npy, item_MF.npy and als.json."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        np.save(folder / "item_MF.npy", self.item_MF, allow_pickle=False)
        text = json.dumps({"alpha": self.alpha, "regularization": self.regularization})
        (folder / "als.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        items, item_MF = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "item_MF"))
        return cls(items, item_MF, **json.loads((folder / "als.json").read_text(encoding="utf-8")))


def half_step(
    pairs: sp.csr_matrix, other_MF: NDArray[np.float64], alpha: float, regularization: float
) -> NDArray[np.float64]:
    """Return the vectors of the rows of `pairs`, csr of ones [N, M], given those of its columns; zero for empty rows.

    Row n solves (Y'Y + alpha Y_n'Y_n + regularization |n| I) x = (1 + alpha) Y_n' 1, with Y_n its columns' vectors.
    """
    factors = other_MF.shape[1]
    gram_FF, unit_FF = other_MF.T @ other_MF, np.eye(factors)
    solved_NF = np.zeros((pairs.shape[0], factors))
    count_N = np.diff(pairs.indptr)
    filled = np.flatnonzero(count_N)
    for some in blocks(len(filled)):
        left_RFF = np.empty((len(some), factors, factors))
        right_RF = np.empty((len(some), factors))
        for place, row in enumerate(filled[some]):
            own_KF = other_MF[pairs.indices[pairs.indptr[row] : pairs.indptr[row + 1]]]
            left_RFF[place] = gram_FF + alpha * (own_KF.T @ own_KF) + (regularization * count_N[row]) * unit_FF
            right_RF[place] = (1.0 + alpha) * own_KF.sum(axis=0)
        solved_NF[filled[some]] = np.linalg.solve(left_RFF, right_RF[:, :, None])[:, :, 0]
    return solved_NF
