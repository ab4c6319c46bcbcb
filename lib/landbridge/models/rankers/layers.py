"""Parts that the rankers share: dropout from a generator, stacks of layers, towers that only their own rows enter."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from landbridge.models.noise import Noise


@dataclass(frozen=True)
class Drop:
    """Dropout of one training step; evaluation has none. The generator makes a run repeat itself."""

    rate: float
    generator: torch.Generator

    def __call__(self, value_BW: Tensor) -> Tensor:
        """Zero single places."""
        return self._masked(value_BW, value_BW.shape)

    def rows(self, value_BW: Tensor) -> Tensor:
        """Zero whole rows, which then look like an unknown id."""
        return self._masked(value_BW, (*value_BW.shape[:-1], 1))

    def noise(self, key_H: NDArray[np.uint64]) -> Noise:
        """Return the noise of this step for encoders, whose masks are told by the rows' keys."""
        return Noise(key_H, int(torch.randint(2**31, (1,), generator=self.generator)), epoch=0, step=0)

    def _masked(self, value_BW: Tensor, shape: Sequence[int]) -> Tensor:
        if self.rate == 0.0:
            return value_BW
        kept = torch.empty(tuple(shape), device=value_BW.device).bernoulli_(1.0 - self.rate, generator=self.generator)
        return value_BW * (kept / (1.0 - self.rate))


class Entrance(nn.Module):
    """Where another network may enter: behind each of the hidden layers, of `widths`, of what has one.

    Nothing enters as long as no strategy sets `entering`; a layer's output then goes on as it is.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.entering: Callable[[int, Tensor], Tensor] | None = None

    def forward(self, place: int, hidden_BW: Tensor) -> Tensor:
        """Return the output [B, W] of the hidden layer at the place, with what enters there."""
        return hidden_BW if self.entering is None else self.entering(place, hidden_BW)


class Stack(nn.Module):
    """Linear layers, each followed by the normalisation of its own row (Ba et al. 2016) and a GELU.

    LayerNorm and not batch normalisation: a row's score must not depend on its batch-mates.
    """

    def __init__(self, width: int, widths: Sequence[int]) -> None:
        super().__init__()
        every = (width, *widths)
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(every)])
        self.norms = nn.ModuleList([nn.LayerNorm(b) for b in widths])
        self.entrance = Entrance(widths)
        self.out = every[-1]

    def forward(self, hidden_BW: Tensor, drop: Drop | None) -> Tensor:
        """Return the last layer's values [B, out]."""
        for place, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            hidden_BW = self.entrance(place, F.gelu(norm(layer(hidden_BW))))
            if drop is not None:
                hidden_BW = drop(hidden_BW)
        return hidden_BW


class Tower(nn.Module):
    """A stack and its logits, one a task; there is no activation on a logit."""

    def __init__(self, width: int, widths: Sequence[int], tasks: int) -> None:
        super().__init__()
        self.stack = Stack(width, widths)
        self.logit = nn.Linear(self.stack.out, tasks)

    def forward(self, hidden_BW: Tensor, drop: Drop | None) -> Tensor:
        """Return logit_BK, one column a task."""
        return torch.as_tensor(self.logit(self.stack(hidden_BW, drop)))


def by_scenario(scenario_B: Tensor, count: int, answer: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Return what each row's own scenario answers, in the order of the rows.

    The rows of a scenario are gathered, so that no tower computes rows of another one. A row of scenario 0, which no
    tower knows, is given the mean over all of them.

    Parameters
    ----------
    scenario_B
        Ids 0..count - 1 of the rows.
    count
        Scenarios, the unknown one among them.
    answer
        Called with (scenario, index of its rows) for each scenario from 1 that has rows; returns [rows, K].
    """
    order_B = torch.argsort(scenario_B, stable=True)
    counts = torch.bincount(scenario_B, minlength=count).tolist()
    parts, at = [], counts[0]
    if counts[0]:
        unknown = order_B[: counts[0]]
        parts.append(torch.stack([answer(scenario, unknown) for scenario in range(1, count)]).mean(0))
    for scenario in range(1, count):
        if counts[scenario]:
            parts.append(answer(scenario, order_B[at : at + counts[scenario]]))
            at += counts[scenario]
    back_B = torch.empty_like(order_B)
    back_B[order_B] = torch.arange(len(order_B), device=order_B.device)
    return torch.cat(parts)[back_B]
