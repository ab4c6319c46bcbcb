"""Networks whose body stays: which of their weights still learn.

What reads items, events and users is the body; it stays, and so does the row of every item that it has learned to read.
The row of any other item learns, so that an item that the source never met becomes known. A scenario's token learns in
every form: it is where a scenario may differ from another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from landbridge.models.encoder import Table

TOKENS = ("scenario.table.weight", "asked.table.weight")
ITEMS = ("item.table.weight", "bias.table.weight")
HEADS = ("encoder.user.2.weight", "item_features.weight", "log_temperature", "match.weight", "logit.weight")
"""The last layers: what makes the retriever's user vector and reads its prior, and what makes the ranker's logit."""


def hold_body(network: nn.Module, seed: int) -> None:
    """Let the head alone learn, in place: the last layers, the scenario's tokens, all biases; rows of new items too.

    To train biases alone beside a head is BitFit (Ben Zaken et al. 2022, section 3).
    """
    _hold(network, lambda name: name.endswith((*TOKENS, *ITEMS, *HEADS, ".bias")))


def hold_all(network: nn.Module) -> None:
    """Let nothing learn, in place, but the scenario's tokens and the rows of new items."""
    _hold(network, lambda name: name.endswith((*TOKENS, *ITEMS)))


@torch.no_grad()
def hold_known(network: nn.Module, fresh: nn.Module) -> None:
    """Hold the rows, in tables that hold any, that differ from those of a fresh network: some fit has moved them."""
    begun = dict(fresh.named_modules())
    for name, module in network.named_modules():
        if isinstance(module, Table) and module.held is not None:
            table = begun[name].get_submodule("table")
            module.held.copy_((module.table.weight != table.weight).any(1))


def _hold(network: nn.Module, learns: Callable[[str], bool]) -> None:
    for name, value in network.named_parameters():
        value.requires_grad_(learns(name))
    for name, module in network.named_modules():
        if isinstance(module, Table) and f"{name}.table.weight".endswith(ITEMS):
            module.held = torch.zeros(module.table.num_embeddings, dtype=torch.bool)
