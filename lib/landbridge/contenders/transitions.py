"""Sequence neighbours: what people take after what they took, the nearer the stronger.

Counts of what follows what within a window, as in Markov-chain and sequential-rules recommenders (Ludewig and Jannach
2018, "Evaluation of session-based recommendation algorithms", section 3.1, rules weighted by distance), with two more
things: an event of another scenario may count otherwise than one of the scenario that is asked about, and what both
items are known for is shrunk away with powers of their popularity.

Every pair of events of one user, at most ``window`` events apart, is an edge from the earlier to the later item. With n
the user's events, d the moments between the two, and p, q the users of source and target, an edge adds

    1 / (d ** distance_power * n ** length_power * (p + shrinkage) ** source_power * (q + shrinkage) ** target_power)

to the weight of source on target, and ``backward`` times the same (source and target changed) to the reverse. A
candidate's score is the sum over the user's events of decay ** (later events of the user) times the weight. Of what
happened elsewhere a user who is new to the scenario may be reminded for longer than one who is known there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.sequences import Transitions as Settings
from landbridge.contenders.base import AloneOrAcross, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.contenders.item_item import nearest
from landbridge.contenders.weights import Decay, positions, recent
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import Catalogue, States

_TIE = 1e-6
"""What popularity adds to a score at most: it orders what nothing else tells apart."""


@dataclass(frozen=True)
class Transitions(AloneOrAcross):
    """Fits the weights of what follows what.

    Alone (`crosses` false) it reads the scenario's own events, and distances count those only. Across, it reads the
    merged events of all scenarios, and one fit serves all.
    """

    settings: Settings
    crosses: bool = False
    stem: str = "transitions"

    def fit(self, view: View) -> TransitionsFitted:
        """Add up the edges of all users, one distance at a time."""
        log = view.interactions if self.crosses else view.interactions.of_scenario(view.scope)
        pairs = log.matrix()
        items = np.flatnonzero(np.diff(pairs.tocsc().indptr)).astype(np.int32)
        items = items[items > 0]
        users_M = np.asarray(pairs[:, items].sum(axis=0)).ravel()
        weights = _normalised(_edges(log, items, self.settings), users_M, self.settings)
        if self.settings.neighbours is not None:
            weights = nearest(weights, self.settings.neighbours)
        own, other, new = self.settings.own.decay, self.settings.other.decay, self.settings.newcomer_decay
        decay = Decay(own, other, other if new is None else new)
        return TransitionsFitted(items, weights, users_M.astype(np.float32), decay, not self.crosses)

    def beside(self, view: View) -> TransitionsFitted:
        """Return the transitions as they stand beside others, else fit them."""
        found = super().beside(view)
        assert isinstance(found, TransitionsFitted)
        return found


@dataclass(frozen=True)
class TransitionsFitted(Fitted):
    """Scores are the recency-weighted history times the weights; popularity where that is silent.

    Attributes
    ----------
    items
        int32[M], ascending item ids of the rows and columns.
    weights
        csr float32 [M, M]; row: what the user has, column: the candidate.
    users_M
        How many users had the item.
    decay
        What an event keeps with every later event of the user.
    alone
        Whether it sees the events of the scenario asked about only.
    """

    kind: ClassVar[str] = "transitions"

    items: NDArray[np.int32]
    weights: sp.csr_matrix
    users_M: NDArray[np.float32]
    decay: Decay
    alone: bool

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item it does not know scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        column, known = positions(self.items, catalogue.items)
        if not known.any():
            return scores_BC
        past = recent(states.own_only() if self.alone else states, self.items, self.decay)
        rows = np.unique(past.indices)
        candidates = column[known]
        product = past[:, rows] @ self.weights[rows][:, candidates]
        popular_C = self.users_M[candidates] * np.float32(_TIE / max(float(self.users_M.max()), 1.0))
        scores_BC[:, known] = product.toarray() + popular_C
        return scores_BC

    def said(self, states: States, decay: Decay) -> NDArray[np.float32]:
        """Return what the weights say of all its items under another decay, shape BM, without popularity."""
        past = recent(states.own_only() if self.alone else states, self.items, decay)
        rows = np.unique(past.indices)
        said_BM: NDArray[np.float32] = (past[:, rows] @ self.weights[rows]).toarray()
        return said_BM

    def save(self, folder: Path) -> None:
        """Write the arrays as ``.npy`` and the rest as ``transitions.json``."""
        write_cells(folder, "weights", self.weights)
        for name in ("items", "users_M"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        text = json.dumps({"decay": self.decay._asdict(), "alone": self.alone})
        (folder / "transitions.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        items, users_M = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "users_M"))
        kept = json.loads((folder / "transitions.json").read_text(encoding="utf-8"))
        weights = read_cells(folder, "weights", (len(items), len(items)))
        return cls(items, weights, users_M, Decay(**kept["decay"]), bool(kept["alone"]))


def _edges(log: Interactions, items: NDArray[np.int32], settings: Settings) -> sp.csr_matrix:
    """Return the summed edges between the items that are had, csr float64 [M, M], before popularity is taken out.

    Events of one moment have no order: theirs is an edge of distance 1, half of it either way. Of more of them than the
    window holds, those are paired that are near each other by item id.
    """
    kept = log.had & (log.item > 0)
    user, ts, scenario = log.user[kept], log.ts[kept], log.scenario[kept]
    place, _ = positions(items, log.item[kept])
    moment = np.cumsum(np.r_[True, (np.diff(user) != 0) | (np.diff(ts) != 0)])[: len(user)]
    length = np.bincount(user, minlength=len(log.user_ids))[user].astype(np.float64)
    summed = sp.csr_matrix((len(items), len(items)), dtype=np.float64)
    for far in range(1, settings.window + 1):
        source = np.flatnonzero(user[far:] == user[:-far])
        if len(source) == 0:
            break
        target = source + far
        steps = moment[target] - moment[source]
        crossing = scenario[source] != scenario[target]
        weight = _weight(np.maximum(steps, 1), crossing, settings) / length[source] ** settings.length_power
        back = np.where(crossing, settings.other.backward, settings.own.backward)
        forth, back = np.where(steps == 0, (1 + back) / 2, 1.0), np.where(steps == 0, (1 + back) / 2, back)
        row, col = np.r_[place[source], place[target]], np.r_[place[target], place[source]]
        cells = (np.r_[weight * forth, weight * back], (row, col))
        summed = summed + sp.csr_matrix(cells, shape=summed.shape)
    return sp.csr_matrix(summed)


def _weight(steps: NDArray[Any], crossing: NDArray[np.bool_], settings: Settings) -> NDArray[np.float64]:
    """Return what an edge is worth by its distance and by whether it leads from one scenario into another."""
    power = np.where(crossing, settings.other.distance_power, settings.own.distance_power)
    worth: NDArray[np.float64] = np.where(crossing, settings.across, 1.0) / steps.astype(np.float64) ** power
    return worth


def _normalised(edges: sp.csr_matrix, users_M: NDArray[Any], settings: Settings) -> sp.csr_matrix:
    """Return edges with the popularity of both ends taken out and a zero diagonal, csr float32."""
    known = users_M.astype(np.float64) + settings.shrinkage
    cells = edges.tocoo()
    off = (cells.row != cells.col) & (cells.data > 0)
    row, col = cells.row[off], cells.col[off]
    values = cells.data[off] * known[row] ** -settings.source_power * known[col] ** -settings.target_power
    return sp.csr_matrix((values.astype(np.float32), (row, col)), shape=edges.shape)
