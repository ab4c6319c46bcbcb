"""What the user's past says of the candidate: attention between it and each past event, with what came of that event.

Target attention is DIN (Zhou et al. 2018, section 4.3), here with several heads and scaled products; that the events
are first searched by the candidate is SIM (Pi et al. 2020, section 4.1). A head also reads what is known of the pair of
items, and its weighted mean has a constant in the denominator as neighbour methods have (Koren 2008, equation 3), so
that weak evidence says little.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.low_rank import matrix
from landbridge.models.rankers.questions import Events
from landbridge.models.rankers.sizes import RankerSizes

FLOOR = -1e9
"""The logit of padding: finite, because the gradient of a maximum over nothing is not a number."""


class TargetAttention(nn.Module):
    """H heads over L events. Each gives the weighted mean of the outcomes, and how much evidence there was."""

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__()
        self.heads, dim = sizes.heads, sizes.dim
        # An encoder's events hold their scenario already.
        self.scenario = None if sizes.encoder else Table(sizes.scenarios, dim)
        self.query = nn.Linear(dim, self.heads * dim, bias=False)
        self.key = nn.Linear(dim, self.heads * dim, bias=False)
        self.pair = nn.Linear(sizes.pairs, self.heads)
        self.liked = nn.Linear(sizes.outcomes, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.register_buffer("nothing", torch.zeros(1), persistent=False)
        self.width = self.heads * (sizes.outcomes + 1) + 2 * dim

    def forward(self, item_BD: Tensor, event_BLD: Tensor, events: Events) -> Tensor:
        """Return read_BW: by head the outcomes and the evidence, then what was liked, and its product with the item.

        Parameters
        ----------
        event_BLD
            Vectors of the items of the events, or what an encoder made of the events.
        """
        if self.scenario is not None:
            event_BLD = event_BLD + self.scenario(events.scenario_BL)
        present_BL = events.item_BL > 0
        weight_BHL = self._weights(item_BD, event_BLD, events.pair_BLP, present_BL)
        outcome_BHO = weight_BHL @ events.outcome_BLO
        evidence_BH = weight_BHL.sum(-1)
        liked_BLD = event_BLD * self.liked(events.outcome_BLO) * present_BL[..., None]
        liked_BD = self.value((weight_BHL.mean(1)[:, None] @ liked_BLD).squeeze(1))
        return torch.cat([outcome_BHO.flatten(1), evidence_BH, liked_BD, liked_BD * item_BD], dim=1)

    def settle(self) -> None:
        """Begin as neighbours do: a weight as large as the similarity, the first pair numbers being their logs."""
        nn.init.zeros_(self.pair.weight)
        for head in range(self.heads):
            self.pair.weight[head, head % max(self.pair.in_features - 1, 1)] = 1.0

    def _weights(self, item_BD: Tensor, event_BLD: Tensor, pair_BLP: Tensor, present_BL: Tensor) -> Tensor:
        rows, dim = item_BD.shape
        # q . (K e) = (K' q) . e: the keys of all events need not be computed.
        query_BHD = self.query(item_BD).view(rows, self.heads, dim)
        asked_BHD = torch.einsum("bhd,hde->bhe", query_BHD, matrix(self.key).view(self.heads, dim, dim))
        logit_BHL = asked_BHD @ event_BLD.transpose(1, 2) / dim**0.5 + self.pair(pair_BLP).transpose(1, 2)
        logit_BHL = logit_BHL.masked_fill(~present_BL[:, None], FLOOR)
        # A place of its own for "nothing", whose logit is zero: the constant in the denominator.
        nothing_BH1 = self.get_buffer("nothing").expand(rows, self.heads, 1)
        return torch.softmax(torch.cat([logit_BHL, nothing_BH1], dim=2), dim=2)[..., :-1]
