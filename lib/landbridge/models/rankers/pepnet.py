"""PEPNet: gates that scale embeddings by the scenario and hidden layers by user and item (Chang et al. 2023).

Both networks are made of its Gate NU: delta = 2 sigmoid(relu(x W' + b') W + b), which changes nothing where W and b are
zero.

- EPNet: delta = U(E(F_d), sg(E)), O = delta o E. F_d is the scenario with what is known of it.
- PPNet: delta_l = V_l(E(F_u), E(F_i), sg(O)), and of every hidden layer o_l = delta_l o h_l. F_u and F_i are user and
  item, and categories beside them.

sg stops the gradient: what a gate reads beside its prior learns from what is gated, not from the gate. Every task has
hidden layers and gates of its own; scenarios share them, and differ by what EPNet lets pass. A layer is normalised by
its own row, as everywhere here, and so is a gate's prior, whose embeddings begin small beside the normalised input.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given, Inputs
from landbridge.models.rankers.layers import Drop, Entrance
from landbridge.models.rankers.sizes import RankerSizes

GAMMA = 2.0
"""A gate's factors lie between 0 and this; 1 is the middle."""


class PepNet(PointRanker):
    """EPNet over the input, then for every task a network whose layers PPNet gates."""

    kind: ClassVar[str] = "pepnet"

    def __init__(self, sizes: RankerSizes, inputs: Inputs | None = None) -> None:
        super().__init__(sizes, inputs)
        width, fields = self.inputs.width, self.inputs.fields
        # Where rows have neither ids nor categories, the scenario is all that is known beforehand.
        self.priors = [name for name in fields if name != "scenario"] or ["scenario"]
        self.scenario_gate = Gate(sizes.dim + self.inputs.told, width, width, sizes.hidden[0])
        self.tasks = nn.ModuleList([Personal(sizes, len(self.priors) * sizes.dim, width) for _ in range(sizes.tasks)])

    def settle(self) -> None:
        """Every gate begins at 1."""
        for module in self.modules():
            if isinstance(module, Gate):
                nn.init.zeros_(module.factor.weight)

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK, each task's from its own layers."""
        scenario_BW = torch.cat([given.vectors["scenario"], given.feature_BG], dim=1)
        gated_BW = given.hidden_BW * self.scenario_gate(scenario_BW, given.hidden_BW)
        prior_BW = torch.cat([given.vectors[name] for name in self.priors], dim=1)
        return torch.cat([task(gated_BW, prior_BW, drop) for task in self.tasks], dim=1)


class Gate(nn.Module):
    """Gate NU: factors between 0 and 2 of a prior and of what it is to scale, whose gradient stops here."""

    def __init__(self, prior: int, beside: int, out: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(prior)
        self.layer = nn.Linear(prior + beside, hidden)
        self.factor = nn.Linear(hidden, out)

    def forward(self, prior_BW: Tensor, beside_BW: Tensor) -> Tensor:
        """Return factor [B, out]."""
        read_BW = torch.cat([self.norm(prior_BW), beside_BW.detach()], dim=1)
        return GAMMA * torch.sigmoid(self.factor(F.relu(self.layer(read_BW))))


class Personal(nn.Module):
    """One task's hidden layers, each scaled by a gate of the row's own prior, and its logit."""

    def __init__(self, sizes: RankerSizes, prior: int, width: int) -> None:
        super().__init__()
        widths = (width, *sizes.hidden, *sizes.tower)
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([nn.LayerNorm(b) for b in widths[1:]])
        self.entrance = Entrance(widths[1:])
        self.scales = nn.ModuleList([Gate(prior, width, b, b) for b in widths[1:]])
        self.logit = nn.Linear(widths[-1], 1)

    def forward(self, gated_BW: Tensor, prior_BW: Tensor, drop: Drop | None) -> Tensor:
        """Return logit_B1."""
        hidden_BW = gated_BW
        for place, (layer, norm, scale) in enumerate(zip(self.layers, self.norms, self.scales, strict=True)):
            hidden_BW = self.entrance(place, F.gelu(norm(layer(hidden_BW))) * scale(prior_BW, gated_BW))
            hidden_BW = hidden_BW if drop is None else drop(hidden_BW)
        return torch.as_tensor(self.logit(hidden_BW))
