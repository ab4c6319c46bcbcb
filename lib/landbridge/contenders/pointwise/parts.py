"""Parts of a blend: what each says of a row from the user's other items, as named features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.neighbours import Levels as LevelsGiven
from landbridge.contenders.pointwise.history import Answers, Asked, Levels, Past
from landbridge.feed.rows import Rows

Features = dict[str, NDArray[np.float32]]
"""By name, each of shape N."""
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Evidence:
    """What a part is fitted on: answers of some users, the levels fitted on them, and tags of the items.

    Attributes
    ----------
    tag_IT
        csr float32 [items, tags] of ones; no ones where the task has no tags.
    tag_names
        Names of the tags; position t is tag t + 1.
    text_I
        int32, the id of each item's text; 0 where it has no vector.
    """

    answers: Answers
    levels: Levels
    tag_IT: sp.csr_matrix
    tag_names: tuple[str, ...]
    text_I: NDArray[np.int32]

    @classmethod
    def of(cls, answers: Answers, rows: Rows, given: LevelsGiven) -> Self:
        """Fit the levels of the answers; tags and texts are those of all rows."""
        levels = Levels.fit(answers, given.shrink, given.rounds)
        text_I = np.zeros(rows.coding.size("item"), np.int32)
        text_I[rows.item_N] = np.where(rows.item_N > 0, rows.text_N, 0)
        return cls(answers, levels, tags_of_items(rows), rows.coding.values["tag"], text_I)

    @property
    def weighed(self) -> NDArray[np.float32]:
        """Residuals of the answers, each kind divided by its deviation: float32 [T, P]."""
        residual_TP = self.levels.residuals(self.answers)
        spread_T1 = residual_TP.std(axis=1, keepdims=True) if residual_TP.shape[1] else np.ones((len(residual_TP), 1))
        scaled: NDArray[np.float32] = (residual_TP / np.maximum(spread_T1, 1e-9)).astype(np.float32)
        return scaled


def tags_of_items(rows: Rows) -> sp.csr_matrix:
    """Return csr float32 [items, tags]: the tags an item has in any of its rows; item 0, the unknown one, has none."""
    items = rows.coding.size("item")
    known = np.flatnonzero(rows.item_N > 0)
    first = known[np.unique(rows.item_N[known], return_index=True)[1]]
    place = sp.csr_matrix((np.ones(len(first), np.float32), (rows.item_N[first], first)), shape=(items, len(rows)))
    return sp.csr_matrix(place @ rows.tag_NT)


class PartFitted(ABC):
    """A fitted part. It knows items, not users: whose history it is asked about is up to the caller."""

    kind: ClassVar[str]

    @abstractmethod
    def features(self, past: Past, asked: Asked) -> Features:
        """Return features of the asked rows; a row's own answer is in none of them if `past` holds it."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `of_arrays` reads."""

    @classmethod
    @abstractmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""


class Part(ABC):
    """A way to fit a part. `reads_answers`: other answers give another fit, so it is fitted for each fold."""

    reads_answers: ClassVar[bool] = True

    @abstractmethod
    def fit(self, evidence: Evidence) -> PartFitted:
        """Fit on the evidence."""


def turned(blocks: Sequence[sp.csr_matrix], item_M: NDArray[Any], items: int) -> sp.csr_matrix:
    """Return weights between the items `item_M`, given in blocks of lines, as csr [items, items], turned round."""
    stacked = sp.coo_matrix(sp.vstack(blocks) if blocks else np.zeros((0, 0), np.float32))
    return sp.csr_matrix((stacked.data, (item_M[stacked.col], item_M[stacked.row])), shape=(items, items))


def sparse_arrays(name: str, matrix: sp.csr_matrix) -> dict[str, NDArray[Any]]:
    """Return the arrays of a csr matrix under names that `sparse_of` knows."""
    shape = np.array(matrix.shape, np.int64)
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": shape}
    return {f"{name}.{key}": value for key, value in parts.items()}


def sparse_of(name: str, saved: Arrays) -> sp.csr_matrix:
    """Read what `sparse_arrays` gave."""
    data = (saved[f"{name}.data"], saved[f"{name}.indices"], saved[f"{name}.indptr"])
    rows, columns = (int(size) for size in saved[f"{name}.shape"])
    return sp.csr_matrix(data, shape=(rows, columns))
