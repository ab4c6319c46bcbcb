"""A domain discriminator behind a gradient reversal: DANN (Ganin et al. 2016, section 4.2).

The discriminator learns to tell the source's users from the target's; what made their vectors learns the opposite,
since its gradient is reversed, R(x) = x with dR/dx = -lambda I. The reversal grows as in section 5.2:
lambda = 2 / (1 + exp(-gamma p)) - 1 with p the share of the steps done, so that a discriminator that knows nothing yet
moves nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.initial import initialise
from landbridge.models.likeness import Likeness, Users


class Discriminator(nn.Module):
    """The logit of being of the source, from a user's vector."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hidden, self.logit = nn.Linear(dim, dim), nn.Linear(dim, 1)

    def forward(self, user_HD: Tensor) -> Tensor:
        """Return logit_H."""
        return torch.as_tensor(self.logit(F.relu(self.hidden(user_HD))).squeeze(-1))


def judge(network: nn.Module, seed: int) -> None:
    """Give a network a discriminator of its users, in place."""
    # What an encoder makes is as wide as the embeddings of the items that it reads.
    dim = network.get_submodule("item.table").get_parameter("weight").shape[1]
    discriminator = Discriminator(dim)
    initialise(discriminator, seed)
    network.add_module("discriminator", discriminator)


@dataclass(frozen=True)
class Adversary(Likeness):
    """The discriminator's cross entropy, of `weight`; `steepness` is gamma."""

    weight: float
    steepness: float

    def loss(self, network: nn.Module, source: Users, target: Users, done: float) -> Tensor:
        """Return the weighted sum over this rank's users, those of the source having the label 1."""
        share = 2.0 / (1.0 + math.exp(-self.steepness * done)) - 1.0
        discriminator = network.get_submodule("discriminator")
        told = [
            F.binary_cross_entropy_with_logits(
                discriminator(reversed_gradient(users.user_HD, share)),
                torch.full_like(users.weight_H, label),
                weight=users.weight_H,
                reduction="sum",
            )
            for users, label in ((source, 1.0), (target, 0.0))
        ]
        return self.weight * (told[0] + told[1])


def reversed_gradient(value: Tensor, share: float) -> Tensor:
    """Return the value, whose gradient is -share times that of the result."""
    return (1.0 + share) * value.detach() - share * value
