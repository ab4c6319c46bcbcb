"""All weights continue from the source's, with discriminative learning rates (Howard and Ruder 2018, ULMFiT,
section 3.2).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from landbridge.errors import TrainError
from landbridge.models.initial import is_table
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing, Strategy

TABLE_SHARE = 0.5
"""Embeddings move at this share of the rate: what a few examples of a target say of an item adds to what the
source knows."""


class FineTune(Strategy):
    """The source's weights, all of them learned on; embedding tables slower than what reads them."""

    name = "fine_tune"
    crosses = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that takes the target for the source.

        The target's scenario begins with the vectors of the source's. The source was fitted alone, so it read its
        own counts of items only;
        the target shares what it learned of them between its own counts and those over all scenarios.
        """
        if source is None:
            raise TrainError(
                "fine_tune needs the networks of the source, and there are none; run the step pretrain first"
            )
        networks = source.copy(sizes, seed)
        for name in NAMES:
            _adopt(networks.network(name), crossing)
        return networks

    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return two groups: embedding tables, and all other weights."""
        tables = [value for name, value in network.named_parameters() if is_table(name)]
        others = [value for name, value in network.named_parameters() if not is_table(name)]
        return [{"params": tables, "lr": learning_rate * TABLE_SHARE}, {"params": others, "lr": learning_rate}]


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
