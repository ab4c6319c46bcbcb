"""STAR: a centre that all scenarios share, times what is a scenario's own (Sheng et al. 2021, section 3.3).

Its partitioned normalisation (section 3.2, equations 2 and 3) takes the moments of the scenario's batch. Here each row
is normalised by itself, because a score must not depend on batch-mates; scale and shift are partitioned as there.
The auxiliary network (section 3.4) adds its logit before the sigmoid.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.low_rank import matrix
from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given
from landbridge.models.rankers.layers import Drop, Entrance, Tower, by_scenario
from landbridge.models.rankers.sizes import RankerSizes


class Star(PointRanker):
    """W*_s = W_s o W and b*_s = b_s + b in every layer, plus the auxiliary network on the scenario and the input."""

    kind: ClassVar[str] = "star"

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__(sizes)
        widths = (self.inputs.width, *sizes.hidden, *sizes.tower, sizes.tasks)
        self.centre = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for width in widths[1:-1]])
        self.entrance = Entrance(widths[1:-1])
        self.own = nn.ModuleList([Own(widths) for _ in range(sizes.scenarios - 1)])
        self.auxiliary = Tower(self.inputs.width, sizes.tower, sizes.tasks)

    def settle(self) -> None:
        """Every scenario begins at the centre."""
        for own in self.own:
            for name, weight in own.named_parameters():
                nn.init.constant_(weight, 1.0 if "scale" in name else 0.0)

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK of the star and of the auxiliary network."""

        def answer(scenario: int, rows: Tensor) -> Tensor:
            return self._star(given.hidden_BW[rows], self.own[scenario - 1], drop)

        star_BK = by_scenario(given.scenario_B, self.sizes.scenarios, answer)
        return torch.as_tensor(star_BK + self.auxiliary(given.hidden_BW, drop))

    def _star(self, value_RW: Tensor, own: nn.Module, drop: Drop | None) -> Tensor:
        assert isinstance(own, Own)
        value_RW = own(value_RW)
        last = len(self.centre) - 1
        for place, (centre, scale, shift) in enumerate(zip(self.centre, own.scales, own.shifts, strict=True)):
            value_RW = F.linear(value_RW, matrix(centre) * scale, centre.bias + shift)
            if place < last:
                value_RW = self.entrance(place, F.gelu(self.norms[place](value_RW)))
                value_RW = value_RW if drop is None else drop(value_RW)
        return value_RW


class Own(nn.Module):
    """What is one scenario's own: factors of the centre's weights, additions to its biases, scale and shift."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.norm_scale = nn.Parameter(torch.ones(widths[0]))
        self.norm_shift = nn.Parameter(torch.zeros(widths[0]))
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(b, a)) for a, b in pairs])
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(b)) for _, b in pairs])

    def forward(self, value_RW: Tensor) -> Tensor:
        """Scale and shift the input, which is normalised."""
        return value_RW * self.norm_scale + self.norm_shift
