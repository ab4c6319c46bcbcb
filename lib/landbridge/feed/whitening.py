"""Whitening: vectors that all point about the same way become such whose directions tell items apart.

Encoders give vectors whose cosines tell little; whitened they tell more (Su et al. 2021, "Whitening sentence
representations").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-3
"""Directions in which training items vary by less than this share of the most are not stretched further."""
_MOST = 1 << 16
"""Items of a fit, evenly chosen among more: the covariance needs no more of them."""


def whitening(vector_MD: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean D and the matrix DD that give these vectors no mean, and about the same spread everywhere.

    The covariance is shrunk towards a sphere as far as few vectors tell little of it (Ledoit and Wolf 2004): else
    directions that none of them has would be stretched most.
    """
    from sklearn.covariance import ledoit_wolf

    width = vector_MD.shape[1]
    if len(vector_MD) < 2:
        return np.zeros(width, np.float32), np.eye(width, dtype=np.float32)
    covariance_DD, _ = ledoit_wolf(vector_MD.astype(np.float64))
    value_D, direction_DD = np.linalg.eigh(covariance_DD)
    spread_D = np.sqrt(np.maximum(value_D, 0.0) + _LEAST * max(float(value_D.max()), 1e-12))
    return vector_MD.mean(axis=0), (direction_DD / spread_D).astype(np.float32)


@dataclass(frozen=True)
class Whitening:
    """Vectors of V numbers to W, of length one; fitted once and then kept with what has learned to read them.

    Attributes
    ----------
    mean_V
        float32.
    turn_VW
        float32, the directions that differ most first.
    """

    mean_V: NDArray[np.float32]
    turn_VW: NDArray[np.float32]

    @classmethod
    def fit(cls, vector_MV: NDArray[np.float16], width: int) -> Self:
        """Fit on the vectors of training items, keeping `width` directions at most."""
        step = max(1, -(-len(vector_MV) // _MOST))
        mean_V, turn_VV = whitening(vector_MV[::step].astype(np.float32))
        return cls(mean_V, np.ascontiguousarray(turn_VV[:, ::-1][:, :width]))

    def __call__(self, vector_NV: NDArray[np.float16]) -> NDArray[np.float16]:
        """Return white_NW; a vector of zeros, which is none, stays one."""
        white_NW = (vector_NV.astype(np.float32) - self.mean_V) @ self.turn_VW
        white_NW /= np.maximum(np.linalg.norm(white_NW, axis=1, keepdims=True), 1e-12)
        white_NW[~vector_NV.any(axis=1)] = 0.0
        return white_NW.astype(np.float16)
