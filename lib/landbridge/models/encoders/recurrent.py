"""A gated recurrent unit over a user's events: GRU4Rec (Hidasi et al. 2016), whose first state is who asks.

The unit is Cho et al. 2014, equations 5 to 8, as two matrices: `read` for all events at once, `recall` step by step.
They are plain matrices so that a low-rank adapter can stand beside each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.models.encoders.base import Encoder


class Recurrent(Encoder):
    """Layers of gated recurrent units; the last state stands for the whole."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__([Unit(dim) for _ in range(layers)])

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last state and every state."""
        state_HD, out_HLD = asked_HD, event_HLD
        for layer in self:
            state_HD, state_HLD = layer(asked_HD, out_HLD, present_HL)
            out_HLD = out_HLD + state_HLD
        return state_HD, out_HLD


class Unit(nn.Module):
    """One gated recurrent unit."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.read = nn.Linear(dim, 3 * dim)
        self.recall = nn.Linear(dim, 3 * dim, bias=False)

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last state HD and the states HLD; the state stays where there is no event."""
        read_HLW = self.read(event_HLD)
        state_HD = torch.tanh(self.first(asked_HD))
        states = []
        # Split once: slicing inside the loop would write a whole gradient for every step.
        for read_HW, present_H in zip(read_HLW.unbind(1), present_HL.unbind(1), strict=True):
            # Padding lies on the left: what nobody of the batch has need not be read.
            if bool(present_H.any()):
                state_HD = torch.where(present_H[:, None], self._step(read_HW, state_HD), state_HD)
            states.append(state_HD)
        return state_HD, torch.stack(states, dim=1)

    def _step(self, read_HW: Tensor, state_HD: Tensor) -> Tensor:
        keep_read, reset_read, new_read = read_HW.chunk(3, dim=1)
        keep_recall, reset_recall, new_recall = self.recall(state_HD).chunk(3, dim=1)
        keep_HD = torch.sigmoid(keep_read + keep_recall)
        new_HD = torch.tanh(new_read + torch.sigmoid(reset_read + reset_recall) * new_recall)
        return new_HD + keep_HD * (state_HD - new_HD)
