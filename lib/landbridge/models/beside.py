"""A target's networks with the source's beside them: what the source makes of the same row enters the target's layers.

The source's weights stay; gradients stop at what they give (sg). Two ways to take it in:

- `Side`: h + GLU(sg h_source), layer by layer (Liu et al. 2023, CTNet, equation 3);
- `Fusion`: z h_source + (1 - z) h with z = sigmoid(W (h_source + h) + b), a gate over each place.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.histories import Histories
from landbridge.models.noise import Noise
from landbridge.models.ranker import Ranker
from landbridge.models.retriever import Retriever


class Side(nn.Module):
    """h + GLU(source). Begins at zero: the target first reads itself alone, and learns what to add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.glu = nn.Linear(width, 2 * width)
        nn.init.zeros_(self.glu.weight)
        nn.init.zeros_(self.glu.bias)

    def forward(self, own: Tensor, source: Tensor) -> Tensor:
        """Return [..., W] of the target's [..., W] and the source's."""
        return own + F.glu(self.glu(source), dim=-1)


class Fusion(nn.Module):
    """z source + (1 - z) own. Begins with a bias towards the source, which has learned already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, width)
        nn.init.zeros_(self.gate.weight)
        nn.init.ones_(self.gate.bias)

    def forward(self, own: Tensor, source: Tensor) -> Tensor:
        """Return [..., W] of the target's [..., W] and the source's."""
        share = torch.sigmoid(self.gate(source + own))
        return share * source + (1.0 - share) * own


GATES: dict[str, type[nn.Module]] = {"side": Side, "fusion": Fusion}
"""The ways to take the source in, by the name of the strategy."""


class RetrieverBeside(Retriever):
    """The user's and the item's vectors take in the source's. Candidates are still one matrix product."""

    source: Retriever

    def __init__(self, own: Retriever, source: Retriever, gate: str) -> None:
        super().__init__(own.sizes)
        adopt(self, own, source)
        self.user_gate, self.item_gate = GATES[gate](own.sizes.dim), GATES[gate](own.sizes.dim)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD: the target's, with the source's taken in."""
        with torch.no_grad():
            given_HD = self.source.encoded(histories)
        return torch.as_tensor(self.user_gate(super().encoded(histories, noise), given_HD))

    def embedded(self, item: Tensor, noise: Noise | None = None) -> Tensor:
        """Return what is learned of items alone, [..., W]; the bias is the target's."""
        with torch.no_grad():
            given = self.source.item(item)
        return torch.cat([self.item_gate(self.item(item, noise), given), self.biased(item, noise)], dim=-1)


class RankerBeside(Ranker):
    """Every hidden layer takes in the source's layer of the same place."""

    source: Ranker

    def __init__(self, own: Ranker, source: Ranker, gate: str) -> None:
        super().__init__(own.sizes)
        adopt(self, own, source)
        self.gates = nn.ModuleList([GATES[gate](width) for width in own.sizes.rank_hidden])
        self._given: list[Tensor] = []

    def forward(
        self, histories: Histories, row_B: Tensor, item_BK: Tensor, feature_BKG: Tensor, noise: Noise | None = None
    ) -> Tensor:
        """Return logit_BK, the source asked first."""
        with torch.no_grad():
            self._given = self.source.layers(histories, row_B, item_BK, feature_BKG)
        logit_BK = super().forward(histories, row_B, item_BK, feature_BKG, noise)
        self._given = []
        return logit_BK

    def after_layer(self, place: int, hidden_BKW: Tensor) -> Tensor:
        """Return the layer's output with the source's taken in."""
        return torch.as_tensor(self.gates[place](hidden_BKW, self._given[place]))


def adopt(network: nn.Module, own: nn.Module, source: nn.Module) -> None:
    """Give a network the weights of its own, and a copy of the source beside them that does not learn."""
    network.load_state_dict(own.state_dict())
    kept = copy.deepcopy(source)
    for value in kept.parameters():
        value.requires_grad_(False)
    network.source = kept
