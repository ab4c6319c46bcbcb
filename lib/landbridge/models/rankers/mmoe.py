"""MMoE: experts that all scenarios share, mixed by a gate a scenario (Ma et al. 2018, section 3.3, equations 6, 7)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given
from landbridge.models.rankers.layers import Drop, Stack, Tower, by_scenario
from landbridge.models.rankers.sizes import RankerSizes


class MMoE(PointRanker):
    """y_s = h_s(sum_e g_s(x)_e f_e(x)), with g_s = softmax(W_s x): scenarios take the place of the paper's tasks."""

    kind: ClassVar[str] = "mmoe"

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__(sizes)
        width, own = self.inputs.width, range(sizes.scenarios - 1)
        self.experts = nn.ModuleList([Stack(width, sizes.hidden) for _ in range(sizes.experts)])
        out = sizes.hidden[-1] if sizes.hidden else width
        self.gates = nn.ModuleList([nn.Linear(width, sizes.experts) for _ in own])
        self.towers = nn.ModuleList([Tower(out, sizes.tower, sizes.tasks) for _ in own])

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK: all rows enter the experts, only a scenario's own rows its gate and tower."""
        hidden_BW, scenario_B = given.hidden_BW, given.scenario_B
        expert_BEW = torch.stack([expert(hidden_BW, drop) for expert in self.experts], dim=1)

        def answer(scenario: int, rows: Tensor) -> Tensor:
            gate_RE = torch.softmax(self.gates[scenario - 1](hidden_BW[rows]), dim=1)
            mixed_RW = (gate_RE[:, None] @ expert_BEW[rows]).squeeze(1)
            return self.towers[scenario - 1](mixed_RW, drop)  # type: ignore[no-any-return]

        return by_scenario(scenario_B, self.sizes.scenarios, answer)
