"""Prompts beside the fields of a row: vectors that a scenario gives a frozen ranker to read (PLATE, Wang et al. 2023).

There prompts stand before a history. A row is no sequence, and what is added to all rows alike would be a bias and
nothing else; so the row asks: it reads the prompts by their keys (as prompts are chosen in L2P, Wang et al. 2022), and
what it read is added to its fields. The prompts begin at zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.models.initial import rows
from landbridge.models.prompts import PROMPTS, SPREAD
from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.frozen import hold_all


class Prompted(nn.Module):
    """The normalised fields [B, W], and softmax(fields keys') prompts beside them, added."""

    def __init__(self, norm: nn.LayerNorm, width: int) -> None:
        super().__init__()
        self.norm = norm
        self.key = nn.Parameter(rows("prompts.key", 0, 0, PROMPTS, width, SPREAD))
        self.prompt = nn.Parameter(torch.zeros(PROMPTS, width))

    def forward(self, value_BW: Tensor) -> Tensor:
        """Return [B, W]."""
        field_BW = self.norm(value_BW)
        share_BP = torch.softmax(field_BW @ self.key.T / field_BW.shape[1] ** 0.5, dim=1)
        return torch.as_tensor(field_BW + share_BP @ self.prompt)


def prompt(ranker: PointRanker) -> None:
    """Put prompts beside the fields of a ranker, in place, and let nothing of its body learn."""
    hold_all(ranker)
    norm = ranker.inputs.norm
    assert isinstance(norm, nn.LayerNorm)
    ranker.inputs.norm = Prompted(norm, ranker.inputs.width)
