"""Weights of 8 bits: each row of a matrix is whole numbers from -127 to 127 times a power of two.

A row of its own scale is the per-channel, symmetric form of integer quantisation (Jacob et al. 2018, section 2.1,
equation 1, zero point 0; Krishnamoorthi 2018, section 3.1). Scales are powers of two so that a rounded weight is a 32
bit float exactly: what is rounded, saved and loaded has the same bits, and rounding it again changes nothing. Vectors
(biases, normalisations) and ids stay as they are. Products are computed in 32 bits: at the widths of rankers, kernels
of 8 bit products were measured to be slower.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LARGEST = 127
"""The largest whole number."""
_POWER = ".power"


def rounded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with every matrix rounded."""
    return unpacked(packed(weights))


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return matrices as int8 of their shape, and under ``<name>.power`` the power of two of each row, int8 too."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.dim() < 2 or not value.is_floating_point():
            found[name] = value
            continue
        power_R1 = _powers(value)
        found[name] = torch.round(torch.ldexp(value, -power_R1)).to(torch.int8)
        found[name + _POWER] = power_R1.to(torch.int8)
    return found


def unpacked(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in 32 bits; those that are not packed as they are."""
    return {
        name: torch.ldexp(value.float(), weights[name + _POWER].int()) if value.dtype == torch.int8 else value
        for name, value in weights.items()
        if not name.endswith(_POWER)
    }


def _powers(value_RW: Tensor) -> Tensor:
    """Return the least power of two by which LARGEST reaches the row's largest weight, [R, 1]; far below zero for 0."""
    most_R1 = value_RW.abs().flatten(1).amax(1).clamp(min=2.0**-100).view(-1, *[1] * (value_RW.dim() - 1))
    return torch.ceil(torch.log2(most_R1.double() / LARGEST)).int()
