"""Networks that read edges of items and groups of users: the form graph."""

from __future__ import annotations

import torch
from torch import nn

from landbridge.models.graph import Convolution
from landbridge.models.initial import rows
from landbridge.models.interest import Interest
from landbridge.models.ranker import Ranker
from landbridge.models.retriever import Retriever

SPREAD = 0.1
"""Standard deviation of fresh vectors of groups."""


def connect(network: nn.Module, seed: int) -> None:
    """Let a network read edges, and groups where there are some, in place; before it is given any it is as before."""
    assert isinstance(network, Retriever | Ranker)
    given, (size, dim) = network.sizes.graph, network.item.table.weight.shape
    network.item.graph = Convolution(size, given.neighbours, given.layers)
    if given.groups:
        network.interest = Interest(size, dim, given.groups, given.factors, given.strength)
        with torch.no_grad():
            network.interest.vector.copy_(rows("interest.vector", seed, 0, given.groups, dim, SPREAD))
