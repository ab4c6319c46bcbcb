"""The kernel of neighbour methods: what the user has, times an item-item matrix; and the evidence it is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.base import ALL, Contender, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Evidence:
    """Who had what: distinct (user, item) pairs, with the columns cut down to the items that occur.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items that occur.
    pairs
        csr float64 [users, M] of ones: all pairs, or those of the scenario where `others` is zero.
    own
        The scenario's own pairs, of the same shape; None where all pairs count the same.
    others
        Weight of the evidence that comes from other scenarios.
    """

    items: NDArray[np.int32]
    pairs: sp.csr_matrix
    own: sp.csr_matrix | None = None
    others: float = 1.0

    def gram(self) -> sp.csr_matrix:
        """Return how many users had both items, csr float64 [M, M], the others' evidence weighted.

        With G_all of all pairs and G_own of the scenario's, it is G_own + others * (G_all - G_own): at 0 the scenario
        alone, at 1 plain pooling, where a person seen in two scenarios joins what he had in both.
        """
        pooled = sp.csr_matrix(self.pairs.T @ self.pairs)
        if self.own is None:
            return pooled
        return sp.csr_matrix(self.others * pooled + (1.0 - self.others) * (self.own.T @ self.own))


class FromEvidence(Contender):
    """A contender fitted on evidence: alone where `across` is None, else with the others' weighted by it."""

    stem: ClassVar[str]
    """The published name without what it learned from."""
    across: float | None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return self.stem if self.across is None else f"{self.stem}_across"

    @property
    def crosses(self) -> bool:  # type: ignore[override]
        """Whether it learns from other scenarios."""
        return self.across is not None

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """With weight one the evidence is the same for every scenario."""
        return self.across == 1.0


def evidence(view: View, across: float | None) -> Evidence:
    """Return the view's evidence: the scenario's own for `across` None, else with the others' weighted by `across`."""
    if across is None:
        return _cut(view.interactions.of_scenario(view.scope).matrix(), None, 0.0)
    everybody = view.interactions.matrix()
    if across == 1.0 or view.scope == ALL:
        return _cut(everybody, None, 1.0)
    return _cut(everybody, view.interactions.of_scenario(view.scope).matrix(), across)


def _cut(pairs: sp.csr_matrix, own: sp.csr_matrix | None, others: float) -> Evidence:
    items = np.unique(pairs.indices).astype(np.int32)
    cut = pairs.astype(np.float64)[:, items]
    return Evidence(items, cut, None if own is None else own.astype(np.float64)[:, items], others)


@dataclass(frozen=True)
class WeightsFitted(Fitted):
    """Scores are ``had @ weights``: the sum over what the user has of its weight on the candidate.

    Attributes
    ----------
    items
        int32[M], ascending item ids of the rows and columns.
    weights
        float32 [M, M], dense or csr; row: what the user has, column: the candidate.
    """

    kind: ClassVar[str] = "weights"

    items: NDArray[np.int32]
    weights: NDArray[np.float32] | sp.csr_matrix

    @classmethod
    def of(cls, items: NDArray[np.int32], near: sp.csr_matrix) -> Self:
        """Take the matrix in the form that is smaller and faster."""
        # A sparse cell takes twice the memory of a dense one, and the product with it is slower.
        return cls(items, near.toarray() if 2 * near.nnz > near.shape[0] ** 2 else near)

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item the matrix does not know scores zero."""
        if len(self.items) == 0:
            return np.zeros((states.had.shape[0], len(catalogue.items)), np.float32)
        return self.score_past(columns_of(states.had, self.items), catalogue)

    def score_past(self, past_BM: sp.csr_matrix, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC of what the items of the past weigh, csr float32 [B, M]."""
        scores_BC = np.zeros((past_BM.shape[0], len(catalogue.items)), np.float32)
        column, known = positions(self.items, catalogue.items)
        scores_BC[:, known] = self._said(past_BM, column[known])
        return scores_BC

    def _said(self, had_BM: sp.csr_matrix, column: NDArray[np.intp]) -> NDArray[np.float32]:
        # For a batch, copying most columns of the matrix costs more than multiplying with the others too.
        most = 2 * len(column) > len(self.items)
        product: Any = had_BM @ (self.weights if most else self.weights[:, column])
        said: NDArray[np.float32] = product if isinstance(product, np.ndarray) else product.toarray()
        return said[:, column] if most else said

    def save(self, folder: Path) -> None:
        """Write items.npy and weights.npy, or the three arrays of a csr matrix."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        if isinstance(self.weights, np.ndarray):
            np.save(folder / "weights.npy", self.weights, allow_pickle=False)
            return
        write_cells(folder, "weights", self.weights)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        items = np.load(folder / "items.npy", allow_pickle=False)
        if (folder / "weights.npy").exists():
            return cls(items, np.load(folder / "weights.npy", allow_pickle=False))
        return cls(items, read_cells(folder, "weights", (len(items), len(items))))


def positions(items: NDArray[np.int32], wanted: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where each of `wanted` stands in the ascending `items`, and whether it is there at all (else 0)."""
    if len(items) == 0:
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(items, wanted), len(items) - 1)
    known = items[place] == wanted
    return np.where(known, place, 0), known


class Decay(NamedTuple):
    """What an event keeps with every later one of the user, between 0 and 1.

    Attributes
    ----------
    own, other
        Of the scenario that is asked about, and of another.
    new
        Of another, where the user has no event of the scenario that is asked about.
    """

    own: float
    other: float
    new: float


def recent(states: States, items: NDArray[np.int32], decay: Decay) -> sp.csr_matrix:
    """Return what every item of the histories weighs, csr float32 [B, M]: `decay` to the power of later events."""
    width = states.item_BL.shape[1]
    later_L = np.arange(width - 1, -1, -1)
    place, known = positions(items, states.item_BL.ravel())
    other_BL = np.where(states.newcomers()[:, None], decay.new, decay.other) ** later_L
    weight_BL = np.where(states.own(), decay.own**later_L, other_BL)
    known &= states.item_BL.ravel() > 0
    row = np.repeat(np.arange(len(states)), width)
    cells = (weight_BL.ravel()[known].astype(np.float32), (row[known], place[known]))
    return sp.csr_matrix(cells, shape=(len(states), len(items)))


def past_of(states: States, items: NDArray[np.int32], decay: float, alone: bool) -> sp.csr_matrix:
    """Return what every item that the user has weighs, csr float32 [B, M].

    `decay` is what an event of the history keeps with every later one; at 1 all that the user has counts alike. `alone`
    looks at the events of the scenario asked about only, where it looks at events.
    """
    if decay == 1:
        return columns_of(states.had, items)
    return recent(states.own_only() if alone else states, items, Decay(decay, decay, decay))


def columns_of(had: sp.csr_matrix, items: NDArray[np.int32]) -> sp.csr_matrix:
    """Return the columns `items` of `had`; ids beyond its width are items nobody in the batch can have."""
    width = max(had.shape[1], int(items[-1]) + 1)
    wide = sp.csr_matrix((had.data, had.indices, had.indptr), shape=(had.shape[0], width))
    return wide[:, items].astype(np.float32)
