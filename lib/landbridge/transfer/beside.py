"""The target learns networks of its own and takes in what the source's, beside them and still, make of the same row.

`side` adds it layer by layer through a gated linear unit (CTNet, Liu et al. 2023, equation 3); `fusion` mixes both by a
gate over every place. Each night the source beside is tonight's, so what it learns arrives without being learned again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing, Strategy, learned, taken_for_source


class _Beside(Strategy):
    fresh = True
    gate: ClassVar[str]

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return fresh networks with a copy of the source's beside them, which takes the target for the source."""
        beside = taken_for_source(self.needed(source), sizes, seed, crossing)
        return Networks.new(beside.sizes, seed).beside(beside, self.gate)

    def renewed(
        self, networks: Networks, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing
    ) -> Networks:
        """Return the same networks with the source's newest fit beside them."""
        return networks.with_source(taken_for_source(self.needed(source), sizes, seed, crossing))

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return the target's own weights and the gates, at one rate."""
        return learned(network, learning_rate, 1.0)


class Side(_Beside):
    """h + GLU(sg h_source)."""

    name = "side"
    gate = "side"


class Fusion(_Beside):
    """z h_source + (1 - z) h."""

    name = "fusion"
    gate = "fusion"
