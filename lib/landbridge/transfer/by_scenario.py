"""Joint with another ranker, whose layers tell the scenarios apart: one model of all scenarios all the same.

Their candidates are those of joint, whose retriever they take as it is; so what differs is the ranker alone.

- `Ple`: levels of experts, shared ones and a scenario's own (Tang et al. 2020), behind the scenario's scale and shift;
- `PepNet`: gates by scenario, user and item on what is read and on every layer (Chang et al. 2023);
- `AdaSparse`: every scenario prunes the neurons of a shared network (Yang et al. 2022).

The layers, with their equations, stand in `models/rankers`.
"""

from __future__ import annotations

from dataclasses import replace

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing
from landbridge.transfer.joint import Joint


class _ByScenario(Joint):
    """The retriever of joint, and a fresh ranker of the strategy's kind."""

    begins = Joint.name
    from_source = True
    learning = ("ranker",)

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return joint's retriever and a fresh ranker."""
        retriever = self.needed(source).copy(sizes, seed).retriever
        fresh = Networks.new(retriever.sizes, seed)
        return Networks(retriever, fresh.ranker).by_scenario(self.name, seed)

    def renewed(
        self, networks: Networks, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing
    ) -> Networks:
        """Return the ranker with the retriever of joint's newest fit."""
        return replace(networks, retriever=self.needed(source).copy(sizes, seed).retriever)


class Ple(_ByScenario):
    """Experts, some shared and some a scenario's own."""

    name = "ple"


class PepNet(_ByScenario):
    """Gates by scenario, user and item."""

    name = "pepnet"


class AdaSparse(_ByScenario):
    """Neurons that scenarios prune."""

    name = "adasparse"
