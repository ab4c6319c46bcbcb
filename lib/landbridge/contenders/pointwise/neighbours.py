"""Item-item neighbours of answers: shrunk cosines of residuals (Koren 2008, section 2.2), or a linear model's weights.

What neighbours say is ``sum over the user's other items of w * (deviation - the user's level)``. The weights stand for
how alike two items are answered (`Neighbours`), or for who answers both at all (`Companions`: EASE, Steck 2019, on the
pairs alone), which knows items that the same people choose even where their answers are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from landbridge.contenders.pointwise.history import Answers, Asked, Past, picked
from landbridge.contenders.pointwise.parts import (
    Arrays,
    Evidence,
    Features,
    Part,
    PartFitted,
    sparse_arrays,
    sparse_of,
    turned,
)
from landbridge.errors import TrainError

_ROWS = 512
_SHARP_DAMP = np.float32(0.05)
"""Beside the sum of the powers of weights: that of one item whose weight is about a third."""


@dataclass(frozen=True)
class NeighboursFitted(PartFitted):
    """T weights of items on items: row what the user had, column the row's item, zero diagonal; csr [items, items]."""

    kind: ClassVar[str] = "neighbours"

    damp: float
    power: float
    weights: tuple[sp.csr_matrix, ...]

    def features(self, past: Past, asked: Asked) -> Features:
        """Return of each kind of answer the sum over the neighbours, their weight, and the damped mean."""
        user_N, item_N = asked.rows.user_N, asked.rows.item_N
        found: Features = {}
        for t, (kind, weights) in enumerate(zip(past.answers.kinds, self.weights, strict=True)):
            weight_N = picked(past.ones, weights, user_N, item_N)
            sum_N = picked(past.deviations[t], weights, user_N, item_N) - asked.user_TN[t] * weight_N
            found[f"near.{kind}.weight"], found[f"near.{kind}.sum"] = weight_N, sum_N
            found[f"near.{kind}.mean"] = sum_N / (weight_N + np.float32(self.damp))
            found[f"near.{kind}.nearest"] = self._nearest(past, asked, t)
        return found

    def _nearest(self, past: Past, asked: Asked, t: int) -> NDArray[np.float32]:
        """The mean under a power of the weights, where the few nearest items speak and the many do not."""
        user_N, item_N = asked.rows.user_N, asked.rows.item_N
        weights = self.weights[t]
        sharp = sp.csr_matrix((weights.data**self.power, weights.indices, weights.indptr), shape=weights.shape)
        weight_N = picked(past.ones, sharp, user_N, item_N)
        sum_N = picked(past.deviations[t], sharp, user_N, item_N) - asked.user_TN[t] * weight_N
        return np.asarray(sum_N / (weight_N + _SHARP_DAMP), np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the csr matrices."""
        found: dict[str, NDArray[Any]] = {"damp": np.array(self.damp), "power": np.array(self.power)}
        found["count"] = np.array(len(self.weights))
        for t, weights in enumerate(self.weights):
            found |= sparse_arrays(f"weights{t}", weights)
        return found

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        weights = tuple(sparse_of(f"weights{t}", saved) for t in range(int(saved["count"])))
        return cls(float(saved["damp"]), float(saved["power"]), weights)


@dataclass(frozen=True)
class Neighbours(Part):
    """Keeps of every item the `keep` others with the largest positive cosine times n / (n + `shrink`)."""

    keep: int
    shrink: float
    damp: float
    power: float = 3.0

    def fit(self, evidence: Evidence) -> NeighboursFitted:
        """Take the products of residuals over users; in blocks of items, so that no square matrix is in memory."""
        answers = evidence.answers
        item_M = np.unique(answers.item_P)
        ones = answers.matrix(np.ones(len(answers.user_P), np.float32))[:, item_M]
        kinds = [sp.csr_matrix(answers.matrix(one)[:, item_M]) for one in evidence.weighed]
        ones_MU, kinds_MU = ones.T.tocsr(), [one.T.tocsr() for one in kinds]
        norms = [np.sqrt(np.asarray(one.multiply(one).sum(axis=0), np.float32).ravel() + 1e-9) for one in kinds]
        blocks: list[list[sp.csr_matrix]] = [[] for _ in kinds]
        for start in range(0, len(item_M), _ROWS):
            some = slice(start, min(start + _ROWS, len(item_M)))
            both = (ones_MU[some] @ ones).toarray()
            both /= both + np.float32(max(self.shrink, 1e-9))
            for kind, kind_MU, norm_M, into in zip(kinds, kinds_MU, norms, blocks, strict=True):
                near = (kind_MU[some] @ kind).toarray() / norm_M[some, None] / norm_M * both
                near[np.arange(len(near)), np.arange(some.start, some.stop)] = 0
                into.append(sp.csr_matrix(_largest(np.maximum(near, 0), self.keep)))
        return NeighboursFitted(self.damp, self.power, tuple(turned(into, item_M, answers.items) for into in blocks))


def _largest(near: NDArray[np.float32], keep: int) -> NDArray[np.float32]:
    if keep >= near.shape[1]:
        return near
    least = np.partition(near, -keep, axis=1)[:, -keep][:, None]
    return np.where(near >= least, near, np.float32(0))


@dataclass(frozen=True)
class CompanionsFitted(PartFitted):
    """Weights between the M items that enough users had; float32 [M, M], zero diagonal."""

    kind: ClassVar[str] = "companions"

    item_M: NDArray[np.int32]
    weights: NDArray[np.float32]

    def features(self, past: Past, asked: Asked) -> Features:
        """Return how well the item fits what the user had, and how he answered what it fits."""
        place_I = np.full(past.answers.items, len(self.item_M), np.int64)
        place_I[self.item_M] = np.arange(len(self.item_M))
        # One more column of zeros: where an item stands that the matrix does not know.
        wide = np.concatenate([self.weights, np.zeros((len(self.item_M), 1), np.float32)], axis=1)
        user_N, column_N = asked.rows.user_N, place_I[asked.rows.item_N]
        fit_N = picked(sp.csr_matrix(past.ones[:, self.item_M]), wide, user_N, column_N)
        found: Features = {"fits": fit_N}
        for t, kind in enumerate(past.answers.kinds):
            sum_N = picked(sp.csr_matrix(past.deviations[t][:, self.item_M]), wide, user_N, column_N)
            found[f"fits.{kind}"] = sum_N - asked.user_TN[t] * fit_N
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the matrix."""
        return {"item_M": self.item_M, "weights": self.weights}

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        return cls(saved["item_M"], saved["weights"])


@dataclass(frozen=True)
class Companions(Part):
    """EASE on who answered what: the `max_items` most answered items that at least `min_answers` users answered."""

    regularization: float
    min_answers: int
    max_items: int

    def fit(self, evidence: Evidence) -> CompanionsFitted:
        """Invert the regularised Gram matrix, as `contenders.ease` does for a catalogue."""
        item_M = self._items(evidence.answers)
        ones = evidence.answers.matrix(np.ones(len(evidence.answers.user_P), np.float32))[:, item_M]
        gram = (ones.T @ ones).toarray().astype(np.float32)
        gram[np.diag_indices_from(gram)] += np.float32(self.regularization)
        return CompanionsFitted(item_M, _linear(gram))

    def _items(self, answers: Answers) -> NDArray[np.int32]:
        count_I = np.bincount(answers.item_P, minlength=answers.items)
        enough = np.flatnonzero(count_I >= self.min_answers)
        most = enough[np.argsort(-count_I[enough], kind="stable")[: self.max_items]]
        return np.sort(most).astype(np.int32)


def _linear(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    if not len(gram):
        return gram
    cholesky, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(cholesky, lower=1, overwrite_c=1) if not failed else (cholesky, failed)
    if failed or failed_too:
        raise TrainError(
            f"companions: the Gram matrix of {len(gram)} items is not positive definite; raise its penalty"
        )
    full = np.tril(inverse)
    full += np.tril(inverse, -1).T
    weights: NDArray[np.float32] = (full / -np.diag(full)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return np.ascontiguousarray(weights)
