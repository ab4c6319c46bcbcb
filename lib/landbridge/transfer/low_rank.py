"""The source's matrices stay; a low-rank pair a scenario learns beside each (MLoRA, Yang et al. 2024, equation 4)."""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import TABLE_SHARE, Crossing, Strategy, learned, taken_for_source


class LowRank(Strategy):
    """W + B A: W is the source's, B A the target's own, zero at the start.

    Embedding tables learn slowly, as in fine_tune: an item that the source never sold has to become known.
    """

    name = "low_rank"

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return the source's networks with adapters that change nothing yet."""
        return taken_for_source(self.needed(source), sizes, seed, crossing).changed("low_rank", seed)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: embedding tables, and adapters with biases and norms."""
        return learned(network, learning_rate, TABLE_SHARE)
