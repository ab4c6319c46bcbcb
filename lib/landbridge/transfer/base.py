"""What a strategy is: where a target's networks begin, and how fast each of their parts may move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes


@dataclass(frozen=True)
class Crossing:
    """From which scenario to which, by id."""

    source: int
    target: int


class Strategy(ABC):
    """One way from a source's networks to a target's. It holds no state; the training loop is the same for all."""

    name: ClassVar[str]
    """The name of the contender that it makes."""
    crosses: ClassVar[bool]
    """Whether it learns from other scenarios; if not, its networks see the events of the own scenario only."""

    @abstractmethod
    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return networks of `sizes` to begin from. `source` stays as it is; it is None where nothing was
        pretrained.
        """

    @abstractmethod
    def groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimizer's parameter groups (``params`` and ``lr``); each learned parameter stands in
        exactly one.
        """
