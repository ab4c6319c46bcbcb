"""The source's networks stay; prompts before the history are tuned (PLATE, Wang et al. 2023).

Prompts begin fresh, and so do they learn: at the rate of the networks, not of the transfer.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import TABLE_SHARE, Crossing, Strategy, learned, taken_for_source


class Prompt(Strategy):
    """Prompts of the scenario and of the user, and the scenario's token, which is added to the input.

    The source's items stay as they are; one that the source never met has a row of its own, which is learned.
    """

    name = "prompt"
    fresh = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that reads prompts, which alone learn."""
        taken = taken_for_source(self.needed(source), sizes, seed, crossing)
        return taken.changed("prompted", seed).holding(seed)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: scenario tokens and rows of items, and the prompts."""
        return learned(network, learning_rate, TABLE_SHARE)
