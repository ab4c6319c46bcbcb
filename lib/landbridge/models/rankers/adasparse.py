"""AdaSparse: every scenario prunes the neurons of a shared network for itself (Yang et al. 2022).

A pruner a layer reads the scenario's vector and the layer's own values and gives each neuron a factor, the paper's
Fusion: v = beta sigmoid(u), and what does not pass epsilon is zero. How much is pruned is held in bounds by a
regulariser (`losses.sparsity`), which needs the share of pruned neurons of every layer. Where we differ, and why:

- Values that pass are lowered by epsilon. With a jump at epsilon the last bit of a matrix product, which may depend on
  how many rows are multiplied at once, could move a score by much.
- The share is a number of the row, not of the batch: no row's gradient depends on another row.
- A sigmoid stands for the step in the gradient of the share, so that what is pruned can come back. The paper anneals
  its sigmoid towards the step instead; public code does so while it scores, too, and lets sign(v - epsilon), which is
  -1 below epsilon, turn a neuron over in place of pruning it.
"""

from __future__ import annotations

import itertools
import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given, Inputs
from landbridge.models.rankers.layers import Drop, Entrance
from landbridge.models.rankers.sizes import RankerSizes

BETA = 2.0
"""The largest factor of a neuron."""
EPSILON = 0.25
"""A factor that does not pass this is zero."""
EDGE = math.log(EPSILON / (BETA - EPSILON))
"""What the pruner says of a factor of EPSILON."""


class AdaSparse(PointRanker):
    """One network for all scenarios; which of its neurons a row uses, its scenario has a say in."""

    kind: ClassVar[str] = "adasparse"

    def __init__(self, sizes: RankerSizes, inputs: Inputs | None = None) -> None:
        super().__init__(sizes, inputs)
        self.pruned = Pruned(sizes, self.inputs.width)

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK."""
        return self.read_pruned(given, drop)[0]

    def read_pruned(self, given: Given, drop: Drop | None) -> tuple[Tensor, Tensor]:
        """Return logit_BK, and pruned_BL: the share of each layer's neurons that the row does without."""
        logit_BK, pruned_BL = self.pruned(given.hidden_BW, given.vectors["scenario"], drop)
        return logit_BK, pruned_BL


class Pruned(nn.Module):
    """Layers, a pruner behind each, and the logits, one a task."""

    def __init__(self, sizes: RankerSizes, width: int) -> None:
        super().__init__()
        widths = (width, *sizes.hidden, *sizes.tower)
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([nn.LayerNorm(b) for b in widths[1:]])
        self.entrance = Entrance(widths[1:])
        self.pruners = nn.ModuleList([nn.Linear(sizes.dim + b, b) for b in widths[1:]])
        self.logit = nn.Linear(widths[-1], sizes.tasks)

    def forward(self, hidden_BW: Tensor, scenario_BD: Tensor, drop: Drop | None) -> tuple[Tensor, Tensor]:
        """Return logit_BK and pruned_BL."""
        shares = []
        for place, (layer, norm, pruner) in enumerate(zip(self.layers, self.norms, self.pruners, strict=True)):
            hidden_BW = F.gelu(norm(layer(hidden_BW)))
            said_BW = pruner(torch.cat([scenario_BD, hidden_BW], dim=1))
            shares.append(pruned_share(said_BW))
            hidden_BW = self.entrance(place, hidden_BW * factors(said_BW))
            hidden_BW = hidden_BW if drop is None else drop(hidden_BW)
        return torch.as_tensor(self.logit(hidden_BW)), torch.stack(shares, dim=1)


def factors(said_BW: Tensor) -> Tensor:
    """Return factors in [0, BETA] of what a pruner said; zero, and without a gradient, up to EDGE."""
    return F.relu(BETA * torch.sigmoid(said_BW) - EPSILON) * (BETA / (BETA - EPSILON))


def pruned_share(said_BW: Tensor) -> Tensor:
    """Return share_B of the neurons whose factor is zero; its gradient is that of a sigmoid around EDGE."""
    soft_BW = torch.sigmoid(EDGE - said_BW)
    hard_BW = (said_BW <= EDGE).float()
    return (hard_BW + soft_BW - soft_BW.detach()).mean(1)
