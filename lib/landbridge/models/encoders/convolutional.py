"""Filters over neighbouring events: the horizontal convolutions of Caser (Tang and Wang 2018, section 3.2).

Each filter sees an event and those just before it; the largest answer over time says whether a pattern occurred.
Caser's vertical filters weight places of a window of fixed length; here histories have any length, and the weighted
sums of the user tower (long-term mean, short-term attention) take their part.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoders.base import Encoder

HEIGHTS = (2, 3, 4)
"""How many events the filters span."""


class Convolutional(Encoder):
    """Layers of causal filters; the largest answers over time stand for the whole."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__([Filters(dim) for _ in range(layers)])

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the largest answers, added to who asks, and the events with what their neighbourhood says."""
        gathered_HD = asked_HD
        for layer in self:
            most_HD, event_HLD = layer(event_HLD, present_HL)
            gathered_HD = gathered_HD + most_HD
        return gathered_HD, event_HLD


class Filters(nn.Module):
    """One layer: filters of each height, as matrices over the events that they span."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        width = max(1, dim // 2)
        self.filters = nn.ModuleList([nn.Linear(height * dim, width) for height in HEIGHTS])
        self.before = nn.LayerNorm(dim)
        self.whole = nn.Linear(len(HEIGHTS) * width, dim)
        self.each = nn.Linear(len(HEIGHTS) * width, dim)

    def forward(self, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return what occurred, HD, and the events, changed, HLD."""
        seen_HLD = self.before(event_HLD) * present_HL[..., None]
        answers = [
            torch.relu(layer(_spanned(seen_HLD, height))) for height, layer in zip(HEIGHTS, self.filters, strict=True)
        ]
        answer_HLW = torch.cat(answers, dim=-1) * present_HL[..., None]
        return self.whole(answer_HLW.amax(1)), event_HLD + self.each(answer_HLW)


def _spanned(event_HLD: Tensor, height: int) -> Tensor:
    """Return for each event itself and the height - 1 places before it, side by side."""
    padded = F.pad(event_HLD, (0, 0, height - 1, 0))
    length = event_HLD.shape[1]
    return torch.cat([padded[:, start : start + length] for start in range(height)], dim=-1)
