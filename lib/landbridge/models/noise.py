"""Dropout that does not depend on batch-mates or ranks: a mask is a pure function of (seed, epoch, step, row,
place).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.models.initial import mix, salt, uniform


@dataclass(frozen=True)
class Noise:
    """Masks of one step. `key_H` names each row, so that one process and two draw the same masks."""

    key_H: NDArray[np.uint64]
    seed: int
    epoch: int
    step: int

    def mask(self, place: str, width: int, rate: float) -> Tensor:
        """Return mask_HW: 0 with probability `rate`, else 1 / (1 - rate)."""
        with np.errstate(over="ignore"):
            row_H = mix(self.key_H + salt("noise", self.seed, self.epoch, self.step, place))
            keys = row_H[:, None] + np.arange(width, dtype=np.uint64)[None]
        kept = uniform(keys) >= rate
        return torch.from_numpy(kept.astype(np.float32) / np.float32(1.0 - rate))

    def hides(self, place: str, ids: Tensor, rate: float) -> Tensor:
        """Return whether each id is hidden, with probability `rate`: the same for all rows of the step."""
        with np.errstate(over="ignore"):
            keys = ids.numpy().astype(np.uint64) + salt("noise", self.seed, self.epoch, self.step, place)
        return torch.from_numpy(uniform(keys) < rate)


def drop(noise: Noise | None, value_HW: Tensor, place: str, rate: float) -> Tensor:
    """Apply dropout to rows, or nothing where there is no noise (evaluation)."""
    if noise is None or rate == 0.0:
        return value_HW
    return value_HW * noise.mask(place, value_HW.shape[1], rate)
