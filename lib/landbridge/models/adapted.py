"""A network after a step that has not been made: its weights moved, by what one batch says of all ranks.

It is the inner step of MAML in first order (Finn et al. 2017, section 5.2): whoever asks the moved weights passes the
gradient on to the weights themselves, as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from landbridge.models.together import Together


class _Asked(nn.Module):
    """A network as whoever asks it asks it, so that it can be asked with other weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, ask: Callable[[], Any]) -> Any:
        """Return what is found."""
        return ask()


def adapted(network: nn.Module, loss: Tensor, weight: float, rate: float, ranks: Together) -> dict[str, Tensor]:
    """Return the learned weights by name after a step at `rate`, of a sum `loss` of all ranks that weighs `weight`."""
    weights = {name: value for name, value in network.named_parameters() if value.requires_grad}
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    gradients = [
        torch.zeros_like(value) if gradient is None else gradient
        for value, gradient in zip(weights.values(), found, strict=True)
    ]
    flat = ranks.sum_(torch.cat([*(one.reshape(-1) for one in gradients), torch.tensor([weight])]))
    flat = rate * flat[:-1] / flat[-1].clamp(min=1.0)
    moves = torch.split(flat, [value.numel() for value in weights.values()])
    return {name: value - move.view_as(value) for (name, value), move in zip(weights.items(), moves, strict=True)}


def asked_with(network: nn.Module, weights: dict[str, Tensor], ask: Callable[[], Any]) -> Any:
    """Return what `ask` finds while the network has these weights."""
    named = {f"network.{name}": value for name, value in weights.items()}
    return torch.func.functional_call(_Asked(network), named, (ask,))
