"""All weights continue from the source's, with discriminative learning rates (Howard and Ruder 2018, ULMFiT,
section 3.2).
"""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import TABLE_SHARE, Crossing, Strategy, learned, taken_for_source


class FineTune(Strategy):
    """The source's weights, all of them learned on; embedding tables slower than what reads them."""

    name = "fine_tune"

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that takes the target for the source."""
        return taken_for_source(self.needed(source), sizes, seed, crossing)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: embedding tables, and all other weights."""
        return learned(network, learning_rate, TABLE_SHARE)
