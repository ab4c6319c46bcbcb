"""Scenarios as tasks: what is learned is where to begin, so that a step on a scenario's examples serves its others.

MAML (Finn et al. 2017): a step on one batch of a scenario gives theta' = theta - alpha grad L(theta), and theta moves
by the loss of another batch at theta' (equation 1). The gradient is taken at theta' and passed on to theta as it is,
which leaves out second derivatives (section 5.2, first order). One scenario a step; every scenario has as many turns as
any other, so that the largest does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from landbridge.config.crossing import Meta
from landbridge.feed.batches import Batch
from landbridge.models.together import Together
from landbridge.train.objectives import Objective
from landbridge.train.streams import Epochs


@dataclass(frozen=True)
class Turn:
    """One step: the scenario by its place, the batch it adapts to and the one it is judged on, each with its epoch."""

    step: int
    total: float
    place: int
    support: tuple[int, Batch]
    query: tuple[int, Batch]


class _Asked(nn.Module):
    """A network as its objectives ask it, so that they can be asked about other weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, objective: Objective, batch: Batch, epoch: int) -> tuple[Tensor, float]:
        """Return the objective's loss and weight."""
        return objective.loss(batch, epoch)


class Tasks(Objective):
    """The objectives of several scenarios over one network, each a task."""

    def __init__(self, network: nn.Module, parts: Sequence[Objective], given: Meta, seed: int, ranks: Together) -> None:
        self.network, self.given, self.seed, self.ranks = network, given, seed, ranks
        self.parts = [part for part in parts if part.steps]

    @property
    def steps(self) -> int:
        """Steps of an epoch: every scenario's turns."""
        return self.given.turns * len(self.parts)

    def batches(self, epoch: int) -> Iterator[Turn]:  # type: ignore[override]
        """Yield the turns of an epoch, round after round, in each the scenarios in an order of its own."""
        running = [Epochs(part).batches(epoch, 2 * self.given.turns) for part in self.parts]
        for around in range(self.given.turns):
            order = np.random.default_rng([self.seed, epoch, around]).permutation(len(self.parts))
            for number, place in enumerate(order.tolist()):
                support, query = next(running[place]), next(running[place])
                step = around * len(self.parts) + number
                yield Turn(step, support[1].total + query[1].total, place, support, query)

    def loss(self, batch: Turn, epoch: int) -> tuple[Tensor, float]:  # type: ignore[override]
        """Return the loss of the second batch with the weights adapted to the first, and its weight."""
        part = self.parts[batch.place]
        adapted = self._adapted(part, *batch.support)
        own, other = batch.query
        found: tuple[Tensor, float] = torch.func.functional_call(_Asked(self.network), adapted, (part, other, own))
        return found

    def _adapted(self, part: Objective, epoch: int, batch: Batch) -> dict[str, Tensor]:
        """Return the learned weights, as `_Asked` names them, after a step on a batch that all ranks hold together."""
        weights = {name: value for name, value in self.network.named_parameters() if value.requires_grad}
        loss, weight = part.loss(batch, epoch)
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        gradients = [
            torch.zeros_like(value) if gradient is None else gradient
            for value, gradient in zip(weights.values(), found, strict=True)
        ]
        flat = self.ranks.sum_(torch.cat([*(one.reshape(-1) for one in gradients), torch.tensor([weight])]))
        flat = self.given.rate * flat[:-1] / flat[-1].clamp(min=1.0)
        moves = torch.split(flat, [value.numel() for value in weights.values()])
        return {
            f"network.{name}": value - move.view_as(value)
            for (name, value), move in zip(weights.items(), moves, strict=True)
        }
