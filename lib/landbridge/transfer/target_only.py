"""The control: nothing crosses."""

from __future__ import annotations

from typing import Any

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing, Strategy


class TargetOnly(Strategy):
    """Fresh weights, one learning rate; fitted on the target's own examples, the other scenarios' events masked."""

    name = "target_only"
    crosses = False
    from_source = False
    fresh = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return fresh networks, whatever the source."""
        return Networks.new(sizes, seed)

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return one group of all parameters."""
        return [{"params": list(network.parameters()), "lr": learning_rate}]
