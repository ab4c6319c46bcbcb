"""The processes that share a fit, as far as losses and measures must know of them; `train.ranks.Ranks` is one."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Together(Protocol):
    """Who fits together."""

    rank: int
    size: int

    def sum_(self, values: Tensor) -> Tensor:
        """Sum a flat tensor over all of them."""

    def gather(self, rows: Tensor) -> tuple[Tensor, int]:
        """Return the rows [n, W] of all ranks below each other, and where the own begin."""


class Alone:
    """One process."""

    rank, size = 0, 1

    def sum_(self, values: Tensor) -> Tensor:
        """Return the values: there is nothing to add."""
        return values

    def gather(self, rows: Tensor) -> tuple[Tensor, int]:
        """Return the rows: there are no others."""
        return rows, 0
