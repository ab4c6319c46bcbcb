"""Transitions of near texts: an item follows what the items follow whose texts are nearest to its own.

An item that few have had, or nobody, has no transitions of its own; those of its nearest texts among the items that
were learned from stand in for them, as content stands in for collaborative evidence in item-based cold start (Schein
et al. 2002, "Methods and metrics for cold-start recommendations"). The item itself is not among its lenders, so that
what it lends to itself does not count twice beside `transitions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.sequences import TextTransitions as Settings
from landbridge.contenders.base import AloneOrAcross, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.contenders.text import whitened
from landbridge.contenders.transitions import Transitions, TransitionsFitted
from landbridge.contenders.weights import Decay, positions
from landbridge.feed.states import Catalogue, States

_BLOCK = 1024
"""Items whose cosines with all lenders are in memory at once."""


@dataclass(frozen=True)
class TextTransitions(AloneOrAcross):
    """Fits transitions, alone or across, and looks for the nearest texts among the items that they know."""

    settings: Settings
    lender: Transitions
    stem = "text_transitions"

    @property
    def crosses(self) -> bool:  # type: ignore[override]
        """Whether the transitions are those of all scenarios."""
        return self.lender.crosses

    def left_out(self, view: View) -> str | None:
        """Say that there are no vectors, or too many."""
        if view.vectors is None:
            return f"{self.name} is left out for {view.scope}: no text is encoded"
        count, most = len(view.vectors.items), self.settings.max_items
        if count > most:
            return (
                f"{self.name} is left out for {view.scope}: {count:,} items have a text, more than "
                f"contenders.text_transitions.max_items {most:,}"
            )
        return None

    def fit(self, view: View) -> TextTransitionsFitted:
        """Fit the transitions, and weigh for every item with a text those that lend to it."""
        assert view.vectors is not None
        lent = self.lender.beside(view)
        items = view.vectors.items
        place, known = positions(items, lent.items)
        white_VD = whitened(view.vectors, lent.items)
        near = nearest_texts(white_VD, place[known], self.settings.neighbours)
        near.data **= np.float32(self.settings.power)
        lenders = sp.csr_matrix(
            (near.data, np.flatnonzero(known)[near.indices], near.indptr), shape=(len(items), len(lent.items))
        )
        return TextTransitionsFitted(items, lenders, lent, self.settings.decay)


def nearest_texts(white_VD: NDArray[np.float32], lender_M: NDArray[np.intp], count: int) -> sp.csr_matrix:
    """Return the positive cosines of each of V rows of length one with its nearest among the rows `lender_M`.

    csr float32 [V, M], at most `count` a row, none with itself.
    """
    column_V = np.full(len(white_VD), -1)
    column_V[lender_M] = np.arange(len(lender_M))
    few = min(count, len(lender_M))
    rows, columns, values = [np.empty(0, np.intp)], [np.empty(0, np.intp)], [np.empty(0, np.float32)]
    for start in range(0, len(white_VD), _BLOCK) if few else ():
        cosine_RM = white_VD[start : start + _BLOCK] @ white_VD[lender_M].T
        own_R = column_V[start : start + _BLOCK]
        itself = np.flatnonzero(own_R >= 0)
        cosine_RM[itself, own_R[itself]] = 0.0
        best_RK = np.argpartition(-cosine_RM, few - 1, axis=1)[:, :few]
        value_RK = np.maximum(np.take_along_axis(cosine_RM, best_RK, axis=1), 0.0)
        row, place = np.nonzero(value_RK)
        rows.append(row + start)
        columns.append(best_RK[row, place])
        values.append(value_RK[row, place])
    cells = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_matrix(cells, shape=(len(white_VD), len(lender_M)), dtype=np.float32)


@dataclass(frozen=True)
class TextTransitionsFitted(Fitted):
    """Scores are what the transitions say of an item's lenders, summed by their weights.

    Attributes
    ----------
    items
        int32[V], ascending ids of the items with a text.
    lenders
        csr float32 [V, M]; row: the item, column: the item of the transitions that lends.
    lent
        The transitions, over M items.
    decay
        What an event of the history keeps with every later one.
    """

    kind: ClassVar[str] = "text_transitions"

    items: NDArray[np.int32]
    lenders: sp.csr_matrix
    lent: TransitionsFitted
    decay: float

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item without a text scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        place, known = positions(self.items, catalogue.items)
        if not known.any() or len(self.lent.items) == 0:
            return scores_BC
        said_BM = self.lent.said(states, Decay(self.decay, self.decay, self.decay))
        scores_BC[:, known] = (self.lenders[place[known]] @ said_BM.T).T
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write the transitions into the folder ``lent``, items.npy, decay.npy and the three arrays of the lenders."""
        (folder / "lent").mkdir()
        self.lent.save(folder / "lent")
        for name in ("items", "decay"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_cells(folder, "lenders", self.lenders)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        lent = TransitionsFitted.load(folder / "lent")
        items, decay = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "decay"))
        return cls(items, read_cells(folder, "lenders", (len(items), len(lent.items))), lent, float(decay))
