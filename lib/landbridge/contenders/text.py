"""Text: the items whose texts mean what the texts of the user's items mean, as a large pretrained encoder reads them.

The vectors are whitened (`feed.whitening`) and compared by cosine. It needs nobody to have had the item that it scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.science import Text as Settings
from landbridge.contenders.base import AloneOrAcross, Fitted, View
from landbridge.contenders.weights import evidence, past_of, positions
from landbridge.feed.states import Catalogue, States
from landbridge.feed.vectors import Vectors
from landbridge.feed.whitening import whitening


@dataclass(frozen=True)
class Text(AloneOrAcross):
    """Whitens by the items that were taken in the scenario, and reads its own events; or does both across scenarios."""

    settings: Settings
    crosses: bool = False
    stem = "text"

    def left_out(self, view: View) -> str | None:
        """Say that there are no vectors."""
        return None if view.vectors is not None else f"{self.name} is left out for {view.scope}: no text is encoded"

    def fit(self, view: View) -> TextFitted:
        """Whiten the vectors of all items by those of the items that somebody took."""
        assert view.vectors is not None
        white_MD = whitened(view.vectors, evidence(view, 1.0 if self.crosses else None).items)
        return TextFitted(
            view.vectors.items, white_MD.astype(np.float16).astype(np.float32), self.settings.decay, not self.crosses
        )


def whitened(vectors: Vectors, seen: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the vectors of all items, whitened by those of the items `seen` in training, with rows of length one."""
    place, known = positions(vectors.items, seen)
    mean_D, turn_DD = whitening(vectors.vector_MD[place[known]])
    white_MD = (vectors.vector_MD - mean_D) @ turn_DD
    white_MD /= np.maximum(np.linalg.norm(white_MD, axis=1, keepdims=True), 1e-12)
    return white_MD.astype(np.float32, copy=False)


@dataclass(frozen=True)
class TextFitted(Fitted):
    """Scores are the sum of cosines between the item and what the user has, later events weighing more.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items with a vector.
    vector_MD
        float32, whitened, rows of length one, rounded to the half precision that is saved.
    decay
        What an event of the history keeps with every later one; 1 takes all that the user has alike.
    alone
        Whether it sees the events of the scenario asked about only.
    """

    kind: ClassVar[str] = "text"

    items: NDArray[np.int32]
    vector_MD: NDArray[np.float32]
    decay: float
    alone: bool

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item without a vector scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        if len(self.items) == 0:
            return scores_BC
        place, known = positions(self.items, catalogue.items)
        past = past_of(states, self.items, self.decay, self.alone)
        used = np.unique(past.indices)
        profile_BD = past[:, used] @ self.vector_MD[used]
        scores_BC[:, known] = profile_BD @ self.vector_MD[place[known]].T
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write items.npy, vectors.npy and text.json."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        np.save(folder / "vectors.npy", self.vector_MD.astype(np.float16), allow_pickle=False)
        kept = {"decay": self.decay, "alone": self.alone}
        (folder / "text.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        kept = json.loads((folder / "text.json").read_text(encoding="utf-8"))
        items, vectors = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "vectors"))
        return cls(items, vectors.astype(np.float32), float(kept["decay"]), bool(kept["alone"]))
