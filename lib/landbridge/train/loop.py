"""The training loop: the same for every network, strategy and number of ranks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from landbridge.errors import TrainError
from landbridge.train.progress import Progress
from landbridge.train.ranks import Ranks
from landbridge.train.watch import Watch

WARM_UP = 0.05
"""Share of the steps over which the rate rises."""
FLOOR = 0.1
"""Where the rate ends, as a share of its top."""
MEAN = "mean"
"""Names the mean of a weight beside what Adam keeps of it."""


@dataclass(frozen=True)
class Place:
    """Which network of which fit this is, for lines, files and errors."""

    network: str
    contender: str
    scope: str
    fit: str

    @property
    def unit(self) -> str:
        """Contender and scope as a person reads them."""
        return f"{self.contender} ({self.scope})"


@dataclass(frozen=True)
class Loss:
    """The mean loss of one step over all ranks."""

    place: Place
    epoch: int
    step: int
    loss: float

    def row(self) -> str:
        """A line of the losses file: enough digits to give the number back."""
        place = self.place
        return (
            f'{place.network},{place.contender},"{place.scope}",{place.fit},{self.epoch},{self.step},{self.loss:.9g}\n'
        )


class Learned(Protocol):
    """What is learned: an `Objective`, or whatever has steps and losses as one."""

    @property
    def network(self) -> nn.Module:
        """What learns."""

    @property
    def steps(self) -> int:
        """Steps of an epoch, equal on every rank."""

    def batches(self, epoch: int) -> Iterator[Any]:
        """Yield what `loss` takes; each knows its `step`, and `total`, how many it is of over all ranks."""

    def loss(self, batch: Any, epoch: int) -> tuple[Tensor, float]:
        """Return the sum of weighted losses of this rank's part, and the sum of their weights."""


class Loop:
    """Fits one network by steps. `optimizer` holds its state between epochs, so that a checkpoint can carry it."""

    def __init__(
        self,
        place: Place,
        objective: Learned,
        groups: list[dict[str, Any]],
        epochs: int,
        ranks: Ranks,
        watch: Watch,
        progress: Progress,
        averaged: float = 0.0,
    ) -> None:
        self.place, self.objective, self.epochs, self.averaged = place, objective, epochs, averaged
        self.ranks, self.watch, self.progress = ranks, watch, progress
        self.steps = objective.steps
        self.optimizer = torch.optim.Adam(groups, fused=True)
        self.top = [group["lr"] for group in groups]
        self.parameters = [value for group in groups for value in group["params"]]
        self.losses: list[Loss] = []

    def run(self, begin: int, after_epoch: Callable[[int], None]) -> None:
        """Run the epochs from `begin`; `after_epoch` may write a checkpoint."""
        if begin == 0:
            self._same_everywhere()
        self.objective.network.train()
        for epoch in range(begin, self.epochs):
            for batch in self.objective.batches(epoch):
                started = time.monotonic()
                loss_sum, weight = self.objective.loss(batch, epoch)
                loss = self._update(loss_sum, weight, epoch, batch.step)
                self.watch.beat(
                    f"{self.place.network} {self.place.unit} fit {self.place.fit} epoch {epoch} step {batch.step}"
                )
                if self.ranks.leads:
                    self.progress.step(
                        network=self.place.network,
                        unit=self.place.unit,
                        fit=self.place.fit,
                        epoch=epoch,
                        epochs=self.epochs,
                        step=batch.step,
                        steps=self.steps,
                        loss=loss,
                        rate=batch.total / (time.monotonic() - started),
                    )
            if self.averaged > 0.0 and epoch == self.epochs - 1:
                self._take_means()
            after_epoch(epoch)

    def _update(self, loss_sum: Tensor, weight: float, epoch: int, step: int) -> float:
        """Move the weights by the gradient of the mean loss over all ranks; return that loss.

        Losses are summed, not averaged, before the allreduce: so the gradient does not depend on how examples lie
        on ranks.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss_sum.backward()  # type: ignore[no-untyped-call]
        gradients = [torch.zeros_like(value) if value.grad is None else value.grad for value in self.parameters]
        flat = torch.cat(
            [*(gradient.reshape(-1) for gradient in gradients), torch.stack([loss_sum.detach(), torch.tensor(weight)])]
        )
        flat = self.ranks.sum_(flat)
        total, weights = flat[-2].item(), flat[-1].item()
        if weights == 0.0:
            return 0.0
        flat /= weights
        if not bool(torch.isfinite(flat).all()):
            raise TrainError(self._not_finite(total / weights, epoch, step))
        self._set_gradients(flat)
        self._set_rate(epoch, step)
        self.optimizer.step()
        self._average(epoch * self.steps + step + 1)
        self.losses.append(Loss(self.place, epoch, step, total / weights))
        return total / weights

    @torch.no_grad()
    def _average(self, done: int) -> None:
        """Take the weights into their mean over the last steps, a share `averaged` of all (Polyak and Juditsky 1992).

        It is part of the optimizer's state, and so of a checkpoint.
        """
        count = done - int((1.0 - self.averaged) * self.epochs * self.steps)
        if self.averaged == 0.0 or count < 1:
            return
        for value in self.parameters:
            state = self.optimizer.state[value]
            if MEAN not in state:
                state[MEAN] = value.detach().clone()
            state[MEAN].lerp_(value, 1.0 / count)

    @torch.no_grad()
    def _take_means(self) -> None:
        """End with the means, where there are some."""
        for value in self.parameters:
            value.copy_(self.optimizer.state[value].get(MEAN, value))

    def _set_gradients(self, flat: Tensor) -> None:
        at = 0
        for value in self.parameters:
            value.grad = flat[at : at + value.numel()].view_as(value)
            at += value.numel()

    def _set_rate(self, epoch: int, step: int) -> None:
        """Rise linearly over the first steps, then fall linearly to the floor, or stay where a mean is taken."""
        done = (epoch * self.steps + step + 1) / (self.epochs * self.steps)
        floor = FLOOR if self.averaged == 0.0 else 1.0
        share = done / WARM_UP if done < WARM_UP else 1.0 - (1.0 - floor) * (done - WARM_UP) / (1.0 - WARM_UP)
        for group, top in zip(self.optimizer.param_groups, self.top, strict=True):
            group["lr"] = top * share

    def _same_everywhere(self) -> None:
        """Give every rank the weights of rank 0; they are equal by their seed, unless machines differ."""
        flat = self.ranks.first_(torch.cat([value.detach().reshape(-1) for value in self.parameters]))
        at = 0
        with torch.no_grad():
            for value in self.parameters:
                value.copy_(flat[at : at + value.numel()].view_as(value))
                at += value.numel()

    def _not_finite(self, loss: float, epoch: int, step: int) -> str:
        place = self.place
        where = f"the {place.network} of {place.unit}, fit {place.fit}, epoch {epoch}, step {step}"
        what = f"the loss is {loss}" if loss != loss or abs(loss) == float("inf") else "the gradient is not finite"
        return (
            f"{what} in {where}; nothing was updated. "
            f"Lower {place.network}.learning_rate, or look for values that are not finite in the features"
        )
