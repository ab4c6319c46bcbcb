"""A user's vector in the source, carried over a bridge of the user's own into the target's retriever.

EMCDR (Man et al. 2017) fits one map from the source's users to the target's; PTUPCDR (Zhu et al. 2022) makes one for
every user, of the items that the user took in the source, and learns it by the target's examples (its task-oriented
optimization) and not by the distance to a vector that was fitted before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from landbridge.models.beside import adopt
from landbridge.models.histories import Histories
from landbridge.models.initial import initialise
from landbridge.models.noise import Noise
from landbridge.models.retriever import Retriever

_ROWS = 1 << 12
"""Users whose maps are held at once."""


@dataclass(frozen=True)
class Bridging:
    """From which scenario a bridge leads, by id, and how it is built.

    `strength` is how many of the user's own events in the target the source's word is worth, `hidden` the width of the
    layers that make a user's map.
    """

    source: int
    strength: float
    hidden: int


class Bridge(nn.Module):
    """W_u u with W_u = I + MLP(sum_j a_j v_j), a the attention over the items v_j that the user took in the source.

    PTUPCDR's characteristic encoder and meta network. The last layer begins at zero and so W_u at I: items of both
    scenarios begin in one space here. Its bias is what all users' maps share.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, 1, bias=False))
        self.make = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim * dim))

    def begin(self, seed: int) -> None:
        """Fill the weights."""
        initialise(self, seed)
        nn.init.zeros_(self.make.get_submodule("2").get_parameter("weight"))

    def forward(self, user_HD: Tensor, item_HLD: Tensor, present_HL: Tensor) -> Tensor:
        """Return what becomes of user_HD, HD; a user without items keeps no more than what all maps share."""
        weight_HL = self.weigh(item_HLD).squeeze(-1)
        weight_HL = torch.softmax(weight_HL.masked_fill(~present_HL, -1e9), dim=1) * present_HL
        taste_HD = (weight_HL[..., None] * item_HLD).sum(1)
        parts = zip(torch.split(taste_HD, _ROWS), torch.split(user_HD, _ROWS), strict=True)
        return torch.cat([self._moved(taste_RD, user_RD) for taste_RD, user_RD in parts])

    def _moved(self, taste_RD: Tensor, user_RD: Tensor) -> Tensor:
        map_RDD = self.make(taste_RD).view(-1, user_RD.shape[1], user_RD.shape[1])
        return torch.as_tensor(user_RD + (map_RDD @ user_RD[..., None]).squeeze(-1))


class RetrieverBridged(Retriever):
    """The target's retriever with the source's beside it, still: u = (n u_target + k W_u u_source) / (n + k).

    n counts the user's own events in the history, of the scenario that is asked about. The source is asked about itself
    and reads the events of its own scenario, as it was fitted; whoever has none is the target's alone.
    """

    source: Retriever

    def __init__(self, own: Retriever, source: Retriever, bridging: Bridging, seed: int) -> None:
        super().__init__(own.sizes)
        adopt(self, own, source)
        self.bridging = bridging
        self.bridge = Bridge(own.sizes.dim, bridging.hidden)
        self.bridge.begin(seed)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD: the target's, mixed with what is carried over."""
        own_HL = histories.present & (histories.scenario_HL == histories.scenario_H[:, None])
        there = self._there(histories)
        share_H = self.bridging.strength / (own_HL.sum(1) + self.bridging.strength) * there.present.any(1)
        own_HD = super().encoded(histories, noise)
        return own_HD + share_H[:, None] * (self._carried(there) - own_HD)

    def _there(self, histories: Histories) -> Histories:
        """Return the histories as the source knows them."""
        source_HL = histories.present & (histories.scenario_HL == self.bridging.source)
        return replace(
            histories.kept(source_HL), scenario_H=torch.full_like(histories.scenario_H, self.bridging.source)
        )

    def _carried(self, there: Histories) -> Tensor:
        """Return W_u u_source, HD."""
        with torch.no_grad():
            user_HD, item_HLD = self.source.encoded(there), self.source.item(there.item_HL)
        return torch.as_tensor(self.bridge(user_HD, item_HLD, there.present))
