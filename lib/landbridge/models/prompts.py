"""Prompts before a history: vectors that a scenario and a user give a frozen encoder to read beside the events.

PLATE (Wang et al. 2023): the backbone stays, and two modules of prompts are tuned, one that tells scenarios apart and
one that tells users apart. A target's networks hold the prompts of their own scenario; the user's are made of who asks
and begin at zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoders import Encoder
from landbridge.models.frozen import hold_all
from landbridge.models.initial import rows

PROMPTS = 4
SPREAD = 0.1


class Prompted(Encoder):
    """An encoder that reads prompts [P, D] before the events; whoever asks it gets the events alone back."""

    def __init__(self, plain: Encoder, dim: int, name: str, seed: int) -> None:
        super().__init__([plain])
        self.scenario = nn.Parameter(rows(f"{name}.scenario", seed, 0, PROMPTS, dim, SPREAD))
        self.user = nn.Linear(dim, PROMPTS * dim, bias=False)
        nn.init.zeros_(self.user.weight)

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the plain encoder makes of prompts and events, and of the events each among the others."""
        prompt_HPD = self.scenario + self.user(asked_HD).view(-1, *self.scenario.shape)
        gathered_HD, out_HTD = self[0](
            asked_HD, torch.cat([prompt_HPD, event_HLD], dim=1), F.pad(present_HL, (PROMPTS, 0), value=True)
        )
        return gathered_HD, out_HTD[:, PROMPTS:]


def prompt(network: nn.Module, seed: int) -> None:
    """Put prompts before the history of a network, in place, and let nothing of its body learn."""
    hold_all(network)
    for name, module in list(network.named_modules()):
        for child, encoder in list(module.named_children()):
            if isinstance(encoder, Encoder):
                setattr(module, child, Prompted(encoder, _width(module), f"{name}.{child}", seed))


def _width(reader: nn.Module) -> int:
    """Return the width of the events that a reader of histories makes."""
    return int(reader.get_submodule("tokens.outcome").get_parameter("weight").shape[0])
