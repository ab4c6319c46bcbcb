"""The mean of a user's events, whatever their order: Covington et al. 2016 (YouTube), section 3.2.

Kabbur et al. 2013 (FISM) add the items' vectors up alike. It has no weights of its own; what reads the mean is the
tower.
"""

from __future__ import annotations

from torch import Tensor

from landbridge.models.encoders.base import Encoder


class Pooled(Encoder):
    """The mean stands for the whole, and every event for itself."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__([])

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the events."""
        return mean(event_HLD, present_HL), event_HLD


def mean(value_HLD: Tensor, present_HL: Tensor) -> Tensor:
    """Return the mean HD over what is present; zero where nothing is."""
    count_H = present_HL.sum(1).clamp(min=1)
    return (value_HLD * present_HL[..., None]).sum(1) / count_H[:, None]
