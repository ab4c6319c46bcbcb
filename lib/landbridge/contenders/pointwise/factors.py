"""Factors of residuals by alternating least squares (Hu et al. 2008; Zhou et al. 2008), asked without the row itself.

A user's vector z solves (sum v v' + penalty I) z = sum v d over his items' vectors v and deviations d. Without the
item at hand the prediction is (v'z - h d) / (1 - h), with the leverage h = v' (sum v v' + penalty I)^-1 v: exact, from
the matrix inversion lemma. The user's level is one of the factors, a constant one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.contenders.pointwise.history import Asked, Past
from landbridge.contenders.pointwise.parts import Arrays, Evidence, Features, Part, PartFitted

_BLOCK = 16384
_SCALE = 0.1


@dataclass(frozen=True)
class FactorsFitted(PartFitted):
    """Vectors of the items for each of the T answers, float32 [T, items, dim + 1]; the last entry is the constant."""

    kind: ClassVar[str] = "factors"

    penalty: float
    vector_TID: NDArray[np.float32]

    def features(self, past: Past, asked: Asked) -> Features:
        """Return the prediction of each kind of answer, and how much of it rests on alike items (the leverage)."""
        found: Features = {}
        for t, kind in enumerate(past.answers.kinds):
            predicted_N, leverage_N = self._without(past, asked, t)
            found[f"factors.{kind}"], found[f"factors.{kind}.sure"] = predicted_N, leverage_N
        return found

    def _without(self, past: Past, asked: Asked, t: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        vector_ID = self.vector_TID[t]
        inverse_UDD = np.linalg.inv(_normal(past.ones, vector_ID, self.penalty))
        user_UD = np.einsum("uab,ub->ua", inverse_UDD, past.deviations[t] @ vector_ID)
        user_N, item_N = asked.rows.user_N, asked.rows.item_N
        raw_N, leverage_N = np.zeros(len(user_N), np.float32), np.zeros(len(user_N), np.float32)
        for start in range(0, len(user_N), _BLOCK):
            some = slice(start, start + _BLOCK)
            vector_BD = vector_ID[item_N[some]]
            raw_N[some] = (vector_BD * user_UD[user_N[some]]).sum(axis=1)
            half_BD = np.matmul(inverse_UDD[user_N[some]], vector_BD[:, :, None])[:, :, 0]
            leverage_N[some] = (half_BD * vector_BD).sum(axis=1)
        rest_N = np.maximum(1 - leverage_N, 1e-4)
        predicted_N = np.where(asked.inside_N, (raw_N - leverage_N * asked.own_TN[t]) / rest_N, raw_N)
        without_N = np.where(asked.inside_N, leverage_N / rest_N, leverage_N)
        return predicted_N.astype(np.float32), without_N.astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the vectors."""
        return {"penalty": np.array(self.penalty), "vector_TID": self.vector_TID}

    @classmethod
    def of_arrays(cls, saved: Arrays) -> Self:
        """Read what `arrays` gave."""
        return cls(float(saved["penalty"]), saved["vector_TID"])


@dataclass(frozen=True)
class Factors(Part):
    """`dim` factors, `rounds` of alternation; both sides have the same penalty."""

    dim: int
    penalty: float
    rounds: int

    def fit(self, evidence: Evidence) -> FactorsFitted:
        """Fit on residuals of unit deviation; the start is drawn from a fixed seed."""
        answers = evidence.answers
        ones = answers.matrix(np.ones(len(answers.user_P), np.float32))
        vectors = [self._items(answers.matrix(one), ones) for one in evidence.weighed]
        constant = np.full((answers.items, 1), np.sqrt(self.penalty / evidence.levels.shrink), np.float32)
        return FactorsFitted(self.penalty, np.stack([np.concatenate([one, constant], axis=1) for one in vectors]))

    def _items(self, residual: sp.csr_matrix, ones: sp.csr_matrix) -> NDArray[np.float32]:
        vector_ID = np.random.default_rng(0).normal(0, _SCALE, (residual.shape[1], self.dim)).astype(np.float32)
        residual_IU, ones_IU = residual.T.tocsr(), ones.T.tocsr()
        for _ in range(self.rounds):
            user_UD = _solve(residual, ones, vector_ID, self.penalty)
            vector_ID = _solve(residual_IU, ones_IU, user_UD, self.penalty)
        return vector_ID


def _normal(ones: sp.csr_matrix, vector_ID: NDArray[np.float32], penalty: float) -> NDArray[np.float32]:
    """Return sum v v' + penalty I of every row, [rows, dim, dim]."""
    dim = vector_ID.shape[1]
    outer = (vector_ID[:, :, None] * vector_ID[:, None, :]).reshape(len(vector_ID), dim * dim)
    normal: NDArray[np.float32] = np.asarray(ones @ outer, np.float32).reshape(-1, dim, dim)
    normal[:, np.arange(dim), np.arange(dim)] += np.float32(penalty)
    return normal


def _solve(
    residual: sp.csr_matrix, ones: sp.csr_matrix, vector_ID: NDArray[np.float32], penalty: float
) -> NDArray[np.float32]:
    right = np.asarray(residual @ vector_ID, np.float32)[:, :, None]
    solved: NDArray[np.float32] = np.linalg.solve(_normal(ones, vector_ID, penalty), right)[:, :, 0].astype(np.float32)
    return solved
