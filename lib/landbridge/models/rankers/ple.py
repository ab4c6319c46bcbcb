"""PLE: levels of experts, some shared and some a scenario's own, and gates that part them (Tang et al. 2020).

A level is CGC (section 4.1, equations 1 to 4); levels follow each other as in section 4.2 (equations 5 and 6), with
scenarios in the place of tasks. There the shared gate mixes the experts of all tasks. Here a row enters the experts of
its own scenario and the shared ones alone, so its shared gate mixes those: what a row costs does not grow with the
number of scenarios. What comes in is first scaled and shifted by the scenario (SAR-Net, Shen et al. 2021, the
scenario-specific transform).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given, Inputs
from landbridge.models.rankers.layers import Drop, Stack, Tower, by_scenario
from landbridge.models.rankers.sizes import RankerSizes


class Ple(PointRanker):
    """One level of one-layer experts for every width of `hidden`; of the experts that a row enters, half are its own.

    y_s = h_s(g_s), and on each level g_s = softmax(W_s g_s) [own experts of g_s; shared experts of g].
    """

    kind: ClassVar[str] = "ple"

    def __init__(self, sizes: RankerSizes, inputs: Inputs | None = None) -> None:
        super().__init__(sizes, inputs)
        widths = (self.inputs.width, *sizes.hidden)
        own = max(1, sizes.experts // 2)
        shared = max(1, sizes.experts - own)
        self.shared = nn.ModuleList([_experts(shared, *pair) for pair in itertools.pairwise(widths)])
        self.own = nn.ModuleList([Own(sizes, widths, own, shared) for _ in range(sizes.scenarios - 1)])

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK: a scenario's rows enter its own experts, gates and tower, and the shared experts."""

        def answer(scenario: int, rows: Tensor) -> Tensor:
            return self.own[scenario - 1](given.hidden_BW[rows], self.shared, drop)  # type: ignore[no-any-return]

        return by_scenario(given.scenario_B, self.sizes.scenarios, answer)


class Own(nn.Module):
    """What is one scenario's own: scale and shift of the input; experts and gates of every level; the tower."""

    def __init__(self, sizes: RankerSizes, widths: Sequence[int], own: int, shared: int) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.scale = nn.Parameter(torch.ones(widths[0]))
        self.shift = nn.Parameter(torch.zeros(widths[0]))
        self.experts = nn.ModuleList([_experts(own, *pair) for pair in pairs])
        self.gates = nn.ModuleList([nn.Linear(a, own + shared) for a, _ in pairs])
        # The last level has no shared gate: nothing would read what it mixes.
        self.shared_gates = nn.ModuleList([nn.Linear(a, own + shared) for a, _ in pairs[:-1]])
        self.tower = Tower(widths[-1], sizes.tower, sizes.tasks)

    def forward(self, hidden_RW: Tensor, shared: nn.ModuleList, drop: Drop | None) -> Tensor:
        """Return logit_RK of the scenario's own rows; `shared` are the shared experts of every level."""
        own_RW = shared_RW = hidden_RW * self.scale + self.shift
        for level, (own_experts, shared_experts) in enumerate(zip(self.experts, shared, strict=True)):
            assert isinstance(own_experts, nn.ModuleList)
            assert isinstance(shared_experts, nn.ModuleList)
            said = [expert(own_RW, drop) for expert in own_experts]
            said += [expert(shared_RW, drop) for expert in shared_experts]
            said_REW = torch.stack(said, dim=1)
            mixed_RW = _mixed(self.gates[level], own_RW, said_REW)
            if level < len(self.shared_gates):
                shared_RW = _mixed(self.shared_gates[level], shared_RW, said_REW)
            own_RW = mixed_RW
        return torch.as_tensor(self.tower(own_RW, drop))


def _experts(count: int, width: int, out: int) -> nn.ModuleList:
    return nn.ModuleList([Stack(width, (out,)) for _ in range(count)])


def _mixed(gate: nn.Module, asked_RW: Tensor, said_REW: Tensor) -> Tensor:
    """Return the mean [R, W] of what the experts said, weighted by the gate."""
    weight_RE = torch.softmax(gate(asked_RW), dim=1)
    return (weight_RE[:, None] @ said_REW).squeeze(1)
