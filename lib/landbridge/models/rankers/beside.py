"""A ranker with the source's beside it: what the source makes of a row enters behind each hidden layer.

The gates are those of networks of lists (`models.beside`): `side` is CTNet's (Liu et al. 2023, equation 3). Both
rankers are of one kind and take a row for one scenario, so they come to their layers in the same order.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from landbridge.models.beside import GATES
from landbridge.models.rankers.base import Asked, PointRanker
from landbridge.models.rankers.layers import Entrance
from landbridge.models.rankers.questions import Questions


class Heard:
    """What one place of the source said of the rows at hand, in the order in which it was asked."""

    def __init__(self) -> None:
        self.said: list[Tensor] = []
        self.at = 0

    def __call__(self, place: int, hidden_BW: Tensor) -> Tensor:
        """Keep the layer's output, and let it go on."""
        self.said.append(hidden_BW)
        return hidden_BW

    def next(self) -> Tensor:
        """Return what was said next."""
        self.at += 1
        return self.said[self.at - 1]

    def forget(self) -> None:
        """Make ready for other rows."""
        self.said, self.at = [], 0


class Entering(nn.Module):
    """A gate a layer, which takes in what the source's layer of the same place said."""

    def __init__(self, widths: tuple[int, ...], gate: str, heard: Heard) -> None:
        super().__init__()
        self.gates = nn.ModuleList([GATES[gate](width) for width in widths])
        self.heard = heard

    def forward(self, place: int, hidden_BW: Tensor) -> Tensor:
        """Return the layer's output with the source's taken in."""
        return torch.as_tensor(self.gates[place](hidden_BW, self.heard.next()))


class Source(Asked):
    """The source's ranker, which stays as it is."""

    def __init__(self, ranker: PointRanker) -> None:
        super().__init__()
        self.ranker = copy.deepcopy(ranker)
        self.heard = []
        for value in self.ranker.parameters():
            value.requires_grad_(False)
        for module in self.ranker.modules():
            if isinstance(module, Entrance):
                module.entering = Heard()
                self.heard.append(module.entering)

    @torch.no_grad()
    def ask(self, questions: Questions) -> None:
        """Ask the source about the rows."""
        for heard in self.heard:
            heard.forget()
        self.ranker(questions)


def put_beside(ranker: PointRanker, source: PointRanker, gate: str) -> None:
    """Put a copy of the source beside a ranker of the same kind, in place; `gate` is one of `models.beside.GATES`."""
    entrances = [module for module in ranker.modules() if isinstance(module, Entrance)]
    beside = Source(source)
    for entrance, heard in zip(entrances, beside.heard, strict=True):
        entrance.entering = Entering(entrance.widths, gate, heard)
    ranker.beside = beside
