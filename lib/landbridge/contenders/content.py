"""Content: the items whose words are those of what the user has (TF-IDF and cosine; Salton and Buckley 1988).

A word weighs ln((1 + n) / (1 + m)), with n the pairs of user and item that were learned from and m those whose item has
the word: what everybody takes anyway tells items apart the least. It needs nobody to have had the item that it scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.science import Content as Settings
from landbridge.contenders.base import AloneOrAcross, Fitted, View
from landbridge.contenders.cells import read_cells, write_cells
from landbridge.contenders.weights import evidence, past_of, positions
from landbridge.feed.states import Catalogue, States


@dataclass(frozen=True)
class Content(AloneOrAcross):
    """Weighs words by what users of the scenario took, and compares its own items; or does both across scenarios."""

    settings: Settings
    crosses: bool = False
    stem = "content"

    def left_out(self, view: View) -> str | None:
        """Say that there are no texts."""
        return None if view.words is not None else f"{self.name} is left out for {view.scope}: items have no text"

    def fit(self, view: View) -> ContentFitted:
        """Weigh the words of all items that have some, and make the items' vectors of length one."""
        assert view.words is not None
        words = view.words.as_of(view.until)
        seen = evidence(view, 1.0 if self.crosses else None)
        users_M = np.asarray(seen.pairs.sum(axis=0)).ravel()
        having_W = words[seen.items].T @ users_M
        weight_W = np.log((1.0 + users_M.sum()) / (1.0 + having_W))
        weighted = sp.csr_matrix(words @ sp.diags(weight_W))
        length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        items = np.flatnonzero(length > 0).astype(np.int32)
        vectors = sp.csr_matrix((sp.diags(1.0 / length[items]) @ weighted[items]).astype(np.float32))
        return ContentFitted(items, vectors, self.settings.decay, not self.crosses)


@dataclass(frozen=True)
class ContentFitted(Fitted):
    """Scores are the user's words times the item's.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items with words.
    vectors
        csr float32 [M, words], rows of length one.
    decay
        What an event of the history keeps with every later one; 1 takes all that the user has alike.
    alone
        Whether it sees the events of the scenario asked about only.
    """

    kind: ClassVar[str] = "content"

    items: NDArray[np.int32]
    vectors: sp.csr_matrix
    decay: float
    alone: bool

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item without words scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        if len(self.items) == 0:
            return scores_BC
        place, known = positions(self.items, catalogue.items)
        profile_BW = sp.csr_matrix(past_of(states, self.items, self.decay, self.alone) @ self.vectors)
        scores_BC[:, known] = (profile_BW @ self.vectors[place[known]].T).toarray()
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write items.npy, the three arrays of the vectors, and content.json."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        write_cells(folder, "vectors", self.vectors)
        kept = {"words": self.vectors.shape[1], "decay": self.decay, "alone": self.alone}
        (folder / "content.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "content.json").read_text(encoding="utf-8"))
        items = np.load(folder / "items.npy", allow_pickle=False)
        vectors = read_cells(folder, "vectors", (len(items), kept["words"]))
        return cls(items, vectors, float(kept["decay"]), bool(kept["alone"]))
