"""EASE: the closed-form linear item-item model with zero diagonal (Steck 2019, "Embarrassingly Shallow Autoencoders").

Equation 8 there: B = I - P diag(1 / diag(P)), P = (X'X + regularization I)^-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import lapack

from landbridge.contenders.base import View
from landbridge.contenders.weights import Evidence, FromEvidence, WeightsFitted, evidence
from landbridge.errors import TrainError

_DOUBLE_UP_TO = 2_000


@dataclass(frozen=True)
class Ease(FromEvidence):
    """Solves min ||X - X B||^2 + regularization ||B||^2 with diag(B) = 0, over the items that occur in the view.

    `across` is the weight of the other scenarios' evidence; None learns from the scenario alone. The matrix grows
    with the square of the items, so above `max_items` it is left out.
    """

    stem: ClassVar[str] = "ease"

    regularization: float
    max_items: int
    across: float | None = None

    def left_out(self, view: View) -> str | None:
        """Say why it is left out: more items than the configuration allows."""
        return self._too_large(view, evidence(view, self.across))

    def fit(self, view: View) -> WeightsFitted:
        """Invert the regularised Gram matrix P and return B = -P / diag(P), its diagonal zero."""
        seen = evidence(view, self.across)
        reason = self._too_large(view, seen)
        if reason is not None:
            raise TrainError(f"{reason}; raise it or do not fit this contender")
        inverse = _inverse(seen, self.regularization)
        weights = (inverse / -np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(weights, 0)
        return WeightsFitted(seen.items, weights)

    def _too_large(self, view: View, seen: Evidence) -> str | None:
        items = len(seen.items)
        if items <= self.max_items:
            return None
        allowed = f"contenders.ease.max_items {self.max_items}"
        return f"{self.name} is left out for {view.scope}: {items} items are above {allowed}"


def _inverse(seen: Evidence, regularization: float) -> NDArray[Any]:
    """Return (G + regularization I)^-1, dense [M, M].

    In double precision where it is cheap, because in a small scenario many items were had by the same users: their
    scores are equal, and only rounding would tell them apart, otherwise on every machine.
    """
    if len(seen.items) == 0:
        return np.ones((0, 0))
    users = np.flatnonzero(np.diff(seen.pairs.indptr))
    if seen.own is None and 2 * len(users) < len(seen.items):
        return _through_users(seen.pairs[users].toarray(), regularization)
    kind = np.float64 if len(seen.items) <= _DOUBLE_UP_TO else np.float32
    matrix: NDArray[Any] = seen.gram().toarray().astype(kind, copy=False)
    matrix[np.diag_indices_from(matrix)] += kind(regularization)
    factor, potri = (lapack.dpotrf, lapack.dpotri) if kind is np.float64 else (lapack.spotrf, lapack.spotri)
    # A symmetric matrix is its own transpose: handing LAPACK the transposed view spares a copy into column order.
    cholesky, failed = factor(matrix.T, lower=1, overwrite_a=1, clean=0)
    inverse, failed_too = potri(cholesky, lower=1, overwrite_c=1) if not failed else (cholesky, failed)
    if failed or failed_too:
        what = f"EASE: the Gram matrix of {len(seen.items)} items is not positive definite"
        raise TrainError(f"{what}; raise contenders.ease.regularization")
    return _mirrored(inverse)


def _through_users(rows_UM: NDArray[Any], regularization: float) -> NDArray[Any]:
    # With fewer users than items: (X'X + rI)^-1 = (I - X'(XX' + rI)^-1 X) / r, the matrix inversion lemma.
    inner = rows_UM @ rows_UM.T
    inner[np.diag_indices_from(inner)] += regularization
    solved = scipy.linalg.cho_solve(scipy.linalg.cho_factor(inner, lower=True, overwrite_a=True), rows_UM)
    inverse: NDArray[Any] = rows_UM.T @ solved
    inverse *= -1.0 / regularization
    inverse[np.diag_indices_from(inverse)] += 1.0 / regularization
    return inverse


def _mirrored(lower: NDArray[Any]) -> NDArray[Any]:
    """Return the symmetric matrix whose lower triangle is given; what is above the diagonal is overwritten."""
    full = np.tril(lower)
    full += np.tril(lower, -1).T
    return full
