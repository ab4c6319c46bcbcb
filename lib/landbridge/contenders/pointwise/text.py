"""Text: how the user answered items whose texts mean about the same, as a large pretrained encoder reads them.

What is asked about is the row's text, not its item: an item that training rows lack is answered for like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.neighbours import Text as Settings
from landbridge.contenders.pointwise.content import said_by
from landbridge.contenders.pointwise.history import Asked, Past
from landbridge.contenders.pointwise.parts import (
    Arrays,
    Evidence,
    Features,
    Part,
    PartFitted,
    sparse_arrays,
    sparse_of,
)
from landbridge.contenders.text import whitened
from landbridge.contenders.text_transitions import nearest_texts
from landbridge.contenders.weights import positions
from landbridge.feed.vectors import Vectors


@dataclass(frozen=True)
class TextFitted(PartFitted):
    """By text the weights of the items whose texts are nearest, its own item not among them.

    Attributes
    ----------
    near_IV
        csr float32 [items, texts]; the columns are ids of texts, the first is empty.
    """

    kind: ClassVar[str] = "text"

    damp: float
    near_IV: sp.csr_matrix

    def features(self, past: Past, asked: Asked) -> Features:
        """Return what items with near texts say."""
        return said_by("near_text", self.near_IV, asked.rows.text_N, past, asked, self.damp)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights."""
        return {"damp": np.array(self.damp)} | sparse_arrays("near", self.near_IV)

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        return cls(float(saved["damp"]), sparse_of("near", saved))


@dataclass(frozen=True)
class Text(Part):
    """Whitens by the items there is evidence of, and looks for the nearest among them; `vectors` are of all texts."""

    reads_answers: ClassVar[bool] = False

    settings: Settings
    vectors: Vectors

    def fit(self, evidence: Evidence) -> TextFitted:
        """Weigh for every text its nearest items by their cosines; no answer is looked at."""
        item_M = np.flatnonzero(evidence.text_I)
        text_M = evidence.text_I[item_M]
        place_M, _ = positions(self.vectors.items, text_M)
        near_VM = nearest_texts(whitened(self.vectors, text_M), place_M, self.settings.neighbours).tocoo()
        weights = near_VM.data ** np.float32(self.settings.power)
        cells = (weights, (item_M[near_VM.col], self.vectors.items[near_VM.row]))
        shape = (len(evidence.text_I), int(self.vectors.items[-1]) + 1)
        return TextFitted(self.settings.damp, sp.csr_matrix(cells, shape=shape))
