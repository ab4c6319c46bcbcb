"""Dropout and draws that do not depend on batch-mates or ranks: a mask is a pure function of (seed, epoch, step, row,
place), and so is a normal number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.models.initial import mix, normal, salt, uniform


@dataclass(frozen=True)
class Noise:
    """Masks of one step. `key_H` names each row, so that one process and two draw the same masks."""

    key_H: NDArray[np.uint64]
    seed: int
    epoch: int
    step: int

    def of(self, row_R: Tensor) -> Noise:
        """Return the noise of some rows."""
        return replace(self, key_H=self.key_H[row_R.numpy()])

    def mask(self, place: str, width: int, rate: float) -> Tensor:
        """Return mask_HW: 0 with probability `rate`, else 1 / (1 - rate)."""
        kept = uniform(self._keys(place, np.arange(width, dtype=np.uint64))) >= rate
        return torch.from_numpy(kept.astype(np.float32) / np.float32(1.0 - rate))

    def normal(self, place: str, width: int) -> Tensor:
        """Return standard normal numbers HW."""
        keys = self._keys(place, np.arange(width, dtype=np.uint64) * np.uint64(2))
        return torch.from_numpy(normal(keys).astype(np.float32))

    def hides(self, place: str, ids: Tensor, rate: float) -> Tensor:
        """Return whether each id is hidden, with probability `rate`: the same for all rows of the step."""
        with np.errstate(over="ignore"):
            keys = ids.numpy().astype(np.uint64) + salt("noise", self.seed, self.epoch, self.step, place)
        return torch.from_numpy(uniform(keys) < rate)

    def _keys(self, place: str, at_W: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return keys HW of the places of each row."""
        with np.errstate(over="ignore"):
            row_H = mix(self.key_H + salt("noise", self.seed, self.epoch, self.step, place))
            return np.asarray(row_H[:, None] + at_W[None])


def drop(noise: Noise | None, value_HW: Tensor, place: str, rate: float) -> Tensor:
    """Apply dropout to rows, or nothing where there is no noise (evaluation)."""
    if noise is None or rate == 0.0:
        return value_HW
    return value_HW * noise.mask(place, value_HW.shape[1], rate)
