"""The contrastive loss of a step, the same for any number of ranks.

A view is told from the views of all histories of the step, not of the rank: the vectors are gathered, so that what a
step asks does not depend on how examples lie on ranks. Every rank then computes the whole loss with its own vectors
attached and those of the others as numbers: its gradient is that of the whole loss by its own vectors, and the sum over
ranks is the gradient of the whole. Memory grows with the square of the step's histories.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from landbridge.config.histories import Augment
from landbridge.models.histories import Histories
from landbridge.models.initial import mix, salt
from landbridge.models.losses import contrastive
from landbridge.models.noise import Noise
from landbridge.models.together import Alone, Together
from landbridge.models.views import view_of


class Encodes(Protocol):
    """A network with an encoder: the retriever, or a ranker."""

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD, what the encoder makes of the histories."""


@dataclass(frozen=True)
class Contrast:
    """How views are made, what telling them apart weighs beside the main loss, and who shares the step."""

    augment: Augment = field(default_factory=Augment)
    weight: float = 0.0
    ranks: Together = field(default_factory=Alone)

    def loss_of(
        self,
        network: Encodes,
        histories: Histories,
        row_B: Tensor,
        weight_B: Tensor,
        seed: int,
        epoch: int,
        step: int,
    ) -> Tensor:
        """Return `loss` where example b of weight_B belongs to the history row_B; nothing where it weighs nothing."""
        if self.weight == 0.0:
            return torch.zeros(())
        weight_H = torch.zeros(len(histories)).index_add_(0, row_B, weight_B)
        return self.loss(network, histories, weight_H, seed, epoch, step)

    def loss(
        self, network: Encodes, histories: Histories, weight_H: Tensor, seed: int, epoch: int, step: int
    ) -> Tensor:
        """Return the weighted sum over this rank's histories; all ranks have to ask, also those without any.

        A history weighs as much as its examples, so that over the step's weight the sum is a mean like the main loss.
        """
        views = [self._encoded(network, histories, seed, epoch, step, number) for number in (1, 2)]
        told_H = (weight_H > 0) & histories.present.any(1)
        own_nW = torch.cat([*views, weight_H[:, None]], dim=1)[told_H]
        whole_NW, begin = self.ranks.gather(own_nW.detach())
        end = begin + len(own_nW)
        whole_NW = torch.cat([whole_NW[:begin], own_nW, whole_NW[end:]])
        first_ND, second_ND = whole_NW[:, :-1].chunk(2, dim=1)
        loss_N = contrastive(first_ND, second_ND) * whole_NW[:, -1]
        # Worth this rank's part, so that the ranks' losses add up; its gradient is that of the whole.
        return self.weight * (loss_N.sum() - loss_N.sum().detach() + loss_N[begin:end].sum().detach())

    def _encoded(self, network: Encodes, histories: Histories, seed: int, epoch: int, step: int, number: int) -> Tensor:
        """Return user_HD of a view, under noise of its own."""
        with np.errstate(over="ignore"):
            key_H = mix(histories.keys() + salt("view", number))
        viewed = view_of(histories, self.augment, seed, epoch, number)
        return network.encoded(viewed, Noise(key_H, seed, epoch, step))
