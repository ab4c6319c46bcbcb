"""MMoE and STAR as a good engineer writes them in torch, and the matrix products that they cannot save.

One table for all fields, gates and towers on their own rows only, ReLU, no normalisation, and the fused Adam, which is
4 to 8 times cheaper than torch's default on a CPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from tests.bench.impressions import FIELDS, SHARES, Impressions
from torch import Tensor, nn

BATCH, DIM, EXPERTS, WIDTHS = 4096, 16, 4, (256, 128, 64)
_INPUT = DIM * len(FIELDS)
_SCENARIOS = range(len(SHARES))


class Fields(nn.Module):
    """One table for all fields; ids are shifted by field."""

    def __init__(self) -> None:
        super().__init__()
        start = np.cumsum([0, *FIELDS.values()])
        self.register_buffer("start", torch.from_numpy(start[:-1]))
        self.table = nn.Embedding(int(start[-1]), DIM)
        nn.init.normal_(self.table.weight, std=0.01)

    def forward(self, field_BC: Tensor) -> Tensor:
        """Return the fields' vectors beside each other, [B, C * D]."""
        found: Tensor = self.table(field_BC + self.get_buffer("start")).flatten(1)
        return found


class PlainMMoE(nn.Module):
    """Experts for all rows; a gate and a tower for the rows of each scenario."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = Fields()
        self.experts = nn.ModuleList([_layers(_INPUT, WIDTHS) for _ in range(EXPERTS)])
        self.gates = nn.ModuleList([nn.Linear(_INPUT, EXPERTS) for _ in _SCENARIOS])
        self.towers = nn.ModuleList([nn.Sequential(_layers(WIDTHS[-1], [32]), nn.Linear(32, 1)) for _ in _SCENARIOS])

    def forward(self, field_BC: Tensor, scenario_B: Tensor) -> Tensor:
        """Return the logits B."""
        input_BW = self.fields(field_BC)
        expert_BEW = torch.stack([expert(input_BW) for expert in self.experts], 1)
        logit_B: Tensor = input_BW.new_zeros(len(field_BC))
        for scenario in _SCENARIOS:
            row = (scenario_B == scenario).nonzero().squeeze(1)
            gate_RE = self.gates[scenario](input_BW[row]).softmax(1)
            mixed_RW = torch.einsum("be,bew->bw", gate_RE, expert_BEW[row])
            logit_B = logit_B.index_put((row,), self.towers[scenario](mixed_RW).squeeze(1))
        return logit_B


class PlainStar(nn.Module):
    """Weights of a scenario are the shared ones times its own; an auxiliary network is added."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = Fields()
        pairs = list(itertools.pairwise((_INPUT, *WIDTHS, 1)))
        self.weight = nn.ParameterList([torch.randn(a, b) * a**-0.5 for a, b in pairs])
        self.bias = nn.ParameterList([torch.zeros(b) for _, b in pairs])
        self.own_weight = nn.ModuleList([nn.ParameterList([torch.ones(a, b) for a, b in pairs]) for _ in _SCENARIOS])
        self.own_bias = nn.ModuleList([nn.ParameterList([torch.zeros(b) for _, b in pairs]) for _ in _SCENARIOS])
        self.auxiliary = nn.Sequential(_layers(_INPUT, WIDTHS[-1:]), nn.Linear(WIDTHS[-1], 1))

    def forward(self, field_BC: Tensor, scenario_B: Tensor) -> Tensor:
        """Return the logits B."""
        input_BW = self.fields(field_BC)
        logit_B: Tensor = self.auxiliary(input_BW).squeeze(1)
        for scenario in _SCENARIOS:
            row = (scenario_B == scenario).nonzero().squeeze(1)
            logit_B = logit_B.index_add(0, row, self._star(input_BW[row], scenario))
        return logit_B

    def _star(self, value_RW: Tensor, scenario: int) -> Tensor:
        own = zip(self.own_weight[scenario].parameters(), self.own_bias[scenario].parameters(), strict=True)
        for place, (weight, bias) in enumerate(own):
            value_RW = torch.addmm(self.bias[place] + bias, value_RW, self.weight[place] * weight)
            value_RW = F.relu(value_RW) if place + 1 < len(self.weight) else value_RW
        return value_RW.squeeze(1)


def plain(kind: str, given: Impressions) -> Callable[[], None]:
    """Return an epoch of a plain loop; the next one continues it."""
    torch.manual_seed(7)
    network = PlainMMoE() if kind == "mmoe" else PlainStar()
    optimizer = torch.optim.Adam(network.parameters(), 0.001, fused=True)
    fields, scenarios, labels = map(torch.from_numpy, (given.field_NC, given.scenario_N, given.label_N))

    def epoch() -> None:
        order = torch.randperm(len(labels))
        for start in range(0, len(order), BATCH):
            mine = order[start : start + BATCH]
            logit_B = network(fields[mine].long(), scenarios[mine])
            loss = F.binary_cross_entropy_with_logits(logit_B, labels[mine])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return epoch


def products(kind: str, given: Impressions) -> Callable[[], None]:
    """The floor: what an epoch multiplies, there and back, the scenarios' rows in their shares of a batch."""
    count = len(given.label_N)
    batch = min(BATCH, count)
    every = [_Product(*shape) for shape in (_mmoe(batch) if kind == "mmoe" else _star(batch))]

    def epoch() -> None:
        for _ in range(-(-count // batch)):
            for one in every:
                one()

    return epoch


class _Product:
    """One layer's product [R, I] x [I, O], and the two of its gradients."""

    def __init__(self, rows: int, width: int, out: int) -> None:
        self.value_RI, self.weight_IO, self.gradient_RO = (
            torch.randn(*shape) for shape in ((rows, width), (width, out), (rows, out))
        )
        self.result_RO, self.back_RI = torch.empty(rows, out), torch.empty(rows, width)
        self.back_IO = torch.empty(width, out)

    def __call__(self) -> None:
        torch.mm(self.value_RI, self.weight_IO, out=self.result_RO)
        torch.mm(self.gradient_RO, self.weight_IO.T, out=self.back_RI)
        torch.mm(self.value_RI.T, self.gradient_RO, out=self.back_IO)


Shapes = list[tuple[int, int, int]]


def _mmoe(batch: int) -> Shapes:
    experts = [(batch, a, b) for a, b in itertools.pairwise((_INPUT, *WIDTHS))] * EXPERTS
    return experts + [(rows, a, b) for rows in _parts(batch) for a, b in ((_INPUT, EXPERTS), (WIDTHS[-1], 32), (32, 1))]


def _star(batch: int) -> Shapes:
    own = [(rows, a, b) for rows in _parts(batch) for a, b in itertools.pairwise((_INPUT, *WIDTHS, 1))]
    return [*own, (batch, _INPUT, WIDTHS[-1]), (batch, WIDTHS[-1], 1)]


def _parts(batch: int) -> list[int]:
    return [round(batch * share) for share in SHARES]


def _layers(width: int, widths: Sequence[int]) -> nn.Sequential:
    pairs = itertools.pairwise((width, *widths))
    return nn.Sequential(*[part for a, b in pairs for part in (nn.Linear(a, b), nn.ReLU())])
