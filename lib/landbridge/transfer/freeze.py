"""The body of the source's networks stays, a head is trained (Yosinski et al. 2014, section 2: transferred features
that are left frozen).
"""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import TABLE_SHARE, Crossing, Strategy, learned, taken_for_source


class Freeze(Strategy):
    """The head: last layers, scenario tokens, biases (`models.frozen`).

    The source's items stay as they are; one that the source never met has a row of its own, which is learned.
    """

    name = "freeze"

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks, the body of which does not learn."""
        taken = taken_for_source(self.needed(source), sizes, seed, crossing)
        return taken.changed("frozen", seed).holding(seed)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: scenario tokens and rows of items, and the rest of the head."""
        return learned(network, learning_rate, TABLE_SHARE)
