"""What makes users of two scenarios look alike to a network, beside the losses of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Users:
    """What an encoder made of the histories of this rank's part of a step, and what each weighs.

    A rank without any has one row of padding, which weighs nothing.
    """

    user_HD: Tensor
    weight_H: Tensor


class Likeness(ABC):
    """A loss between the users of the source and those of the target."""

    @abstractmethod
    def loss(self, network: nn.Module, source: Users, target: Users, done: float) -> Tensor:
        """Return the sum over this rank's users, to be divided by the weight of all; all ranks have to ask.

        `done` is the share of the fit's steps that lie behind, from 0 to 1.
        """
