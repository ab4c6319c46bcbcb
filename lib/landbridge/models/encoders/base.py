"""What an encoder of histories is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Encoder(nn.ModuleList, ABC):
    """Reads H histories of L events, oldest first; a list of its layers, which are numbered in the saved weights.

    Laws: an event that is not present says nothing, wherever it stands; a history does not depend on the others of the
    batch; an event's own output depends on earlier events and itself, or (attention, pooled) on the set.
    """

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__(layers)

    @abstractmethod
    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return gathered_HD, what the events say together to who asks, and out_HLD, each event among the others.

        Parameters
        ----------
        asked_HD
            The scenario that is asked about, with the features of user and scenario.
        event_HLD
            A vector of each event.
        present_HL
            True where there is an event; out_HLD is only read there.
        """
