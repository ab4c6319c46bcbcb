"""What a strategy is: where a target's networks begin, and how fast each of their parts may move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from landbridge.config.crossing import Crossings
from landbridge.errors import TrainError
from landbridge.models.initial import is_table
from landbridge.models.likeness import Likeness
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.models.together import Together

TABLE_SHARE = 0.5
"""Embeddings move at this share of the rate where the source has learned them: what a few examples of a target say
of an item adds to what the source knows."""


@dataclass(frozen=True)
class Crossing:
    """From which scenario to which, by id, and what the strategies are told."""

    source: int
    target: int
    given: Crossings = field(default_factory=Crossings)


class Strategy(ABC):
    """One way from a source's networks to a target's. It holds no state; the training loop is the same for all."""

    name: ClassVar[str]
    """The name of the contender that it makes."""
    crosses: ClassVar[bool] = True
    """Whether it learns from other scenarios; if not, its networks see the events of the own scenario only."""
    learning: ClassVar[tuple[str, ...]] = NAMES
    """Which of the networks the target's examples move; the others stay as they began."""
    from_source: ClassVar[bool] = True
    """Whether it begins from the source's networks."""
    fresh: ClassVar[bool] = False
    """Whether what learns begins fresh: at the rate of the networks then, and not at that of the transfer."""
    pooled: ClassVar[bool] = False
    """Whether one fit (scope ``*``) learns from all scenarios and serves each."""
    begins: ClassVar[str | None] = None
    """The pooled strategy whose networks it begins from in place of the source's; that one is fitted before. If it is
    of `BEGINNINGS`, nobody publishes it."""
    beside: ClassVar[bool] = False
    """Whether every step has examples of the source beside the target's; then there is a `likeness`."""
    edges: ClassVar[bool] = False
    """Whether its networks read which items the same users took, and what groups of users take."""
    tasks: ClassVar[bool] = False
    """Whether scenarios are tasks that a step adapts to, and not examples alone."""
    shares_users: ClassVar[bool] = False
    """Whether what crosses are users: then a target is left out of whose users nobody has events in the source."""

    @abstractmethod
    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return networks of `sizes` to begin from. `source` stays as it is; it is None where nothing was
        pretrained.
        """

    def renewed(
        self, networks: Networks, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing
    ) -> Networks:
        """Return networks that are to be continued, with what they hold of the source taken from its newest fit."""
        return networks

    def likeness(self, given: Crossings, ranks: Together) -> Likeness | None:
        """Return the loss between the source's users and the target's, where the strategy has one."""
        return None

    @abstractmethod
    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimizer's parameter groups (``params`` and ``lr``); each learned parameter stands in
        exactly one.
        """

    def needed(self, source: Networks | None) -> Networks:
        """Return the source's networks.

        Raises
        ------
        TrainError
            If nothing was pretrained.
        """
        if source is None:
            raise TrainError(
                f"{self.name} needs the networks of the source, and there are none; run the step pretrain first"
            )
        return source


def learned(network: nn.Module, learning_rate: float, share: float) -> list[dict[str, Any]]:
    """Return two groups of the parameters that learn: embedding tables at `share` of the rate, and all others."""
    named = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    tables = [value for name, value in named if is_table(name)]
    others = [value for name, value in named if not is_table(name)]
    return [{"params": tables, "lr": learning_rate * share}, {"params": others, "lr": learning_rate}]


def taken_for_source(source: Networks, sizes: Sizes, seed: int, *crossings: Crossing) -> Networks:
    """Return a copy of the source's networks that takes the target for the source, or several targets.

    The target's scenario begins with the vectors of the source's. The source was fitted alone, so it read its own
    counts of items only; the target shares what it learned of them between its own counts and those over all
    scenarios. It read associations with its own scenario's events only, and the target reads those with events
    elsewhere by the same weights.
    """
    networks = source.copy(sizes, seed)
    for crossing in crossings:
        for name in NAMES:
            _adopt(networks.network(name), crossing)
    return networks


@torch.no_grad()
def _adopt(network: nn.Module, crossing: Crossing) -> None:
    for name, weight in network.named_parameters():
        if name.endswith(("scenario.table.weight", "asked.table.weight")):
            weight[crossing.target] = weight[crossing.source]
        if name.endswith("item_features.weight"):
            half = weight.shape[1] // 2
            shared = 0.5 * (weight[:, :half] + weight[:, half:])
            weight[:, :half] = shared
            weight[:, half:] = shared
        if name.endswith(("associations.weight", "plain_associations")):
            half = weight.shape[-1] // 2
            weight[..., half:] = weight[..., :half]
