"""What a user's group of the source takes in the target stands in for what he has not done there yet.

A user's interest in the source is the mean of the factors of the items that his history has there, and his group the
one whose centre is nearest: so it is found the same way wherever his history is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.histories import Histories


@dataclass(frozen=True)
class Flow:
    """The groups of two scenarios, by id, and how users of one stand in the other.

    Attributes
    ----------
    factor_IF
        Of every item id; zeros where it has none.
    centre_GF
        Of the source's groups; zeros where `there_G` is false, because there are fewer.
    flow_GT
        Share of the target's groups by the source's; rows of groups that are there sum to one.
    """

    source: int
    target: int
    factor_IF: Tensor
    centre_GF: Tensor
    there_G: Tensor
    flow_GT: Tensor


class Interest(nn.Module):
    """(n u + k g) / (n + k): u the user's vector, n his events in the target, k the strength.

    g is the sum over the target's groups of the flow from his group of the source, times a learned vector of the group.
    Who has nothing in the source stays as he is. (The weight of what is known beside what stands in is the shrinkage of
    Bell and Koren 2007, section 4.1.)
    """

    source: Tensor
    target: Tensor
    factor: Tensor
    centre: Tensor
    there: Tensor
    flow: Tensor

    def __init__(self, items: int, dim: int, groups: int, factors: int, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.register_buffer("source", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("target", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("factor", torch.zeros(items, factors))
        self.register_buffer("centre", torch.zeros(groups, factors))
        self.register_buffer("there", torch.zeros(groups, dtype=torch.bool))
        self.register_buffer("flow", torch.zeros(groups, groups))
        self.vector = nn.Parameter(torch.zeros(groups, dim))

    def forward(self, user_HD: Tensor, histories: Histories) -> Tensor:
        """Return [H, D] of the users' vectors."""
        group_H, has_H = self.groups(histories)
        stand_in_HD = self.flow[group_H] @ self.vector
        own_H = (histories.present & (histories.scenario_HL == self.target)).sum(1)
        share_H1 = torch.where(has_H, self.strength / (own_H + self.strength), 0.0)[:, None]
        return user_HD + share_H1 * (stand_in_HD - user_HD)

    def read(self, flow: Flow) -> None:
        """Take the groups, as of one night; there are as many ids as there were when this was made."""
        self.source.fill_(flow.source)
        self.target.fill_(flow.target)
        self.factor.copy_(flow.factor_IF)
        self.centre.copy_(flow.centre_GF)
        self.there.copy_(flow.there_G)
        self.flow.copy_(flow.flow_GT)

    def groups(self, histories: Histories) -> tuple[Tensor, Tensor]:
        """Return the group of each user in the source, H, and whether his history tells it."""
        there_HL = histories.present & (histories.scenario_HL == self.source)
        item_HL = torch.where(there_HL & (histories.item_HL < len(self.factor)), histories.item_HL, 0)
        interest_HF = F.embedding_bag(item_HL, self.factor, mode="sum", padding_idx=0)
        length_H = interest_HF.norm(dim=1)
        interest_HF = interest_HF / length_H.clamp(min=1e-12)[:, None]
        far_HG = ((interest_HF[:, None] - self.centre) ** 2).sum(2).masked_fill(~self.there, torch.inf)
        return far_HG.argmin(1), (length_H > 0) & self.there.any()
