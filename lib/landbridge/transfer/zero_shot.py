"""The source's networks as they are, asked about the target: what crosses without a single example of the target."""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing, Strategy, learned, taken_for_source


class ZeroShot(Strategy):
    """No weight moves; each fit is the source's fit of the same letter, which takes the target for the source."""

    name = "zero_shot"
    learning = ()

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that takes the target for the source."""
        return taken_for_source(self.needed(source), sizes, seed, crossing)

    def renewed(
        self, networks: Networks, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing
    ) -> Networks:
        """Return the source's newest fit in the place of the earlier one."""
        return self.start(source, sizes, seed, crossing)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters in two groups; no step is made."""
        return learned(network, learning_rate, 1.0)
