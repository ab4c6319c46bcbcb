"""A bridge from what the source knows of a user to what the target should: EMCDR (Man et al. 2017), PTUPCDR (Zhu et
al. 2022).

The map is the user's own, as in PTUPCDR: a meta-network makes a matrix of the source's items that the user liked,
pooled by attention, and the matrix turns the source's vector of the user. It is learned by what the target asks, not by
the distance to the target's vectors as in EMCDR. A user with rows in the target keeps what they say,
(n u + k u_bridge) / (n + k) with n rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landbridge.models.initial import initialise
from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Carried, Vectors

FLOOR = -1e9
"""The logit of padding."""
LIKED = 20
"""Items of the source that the map is made of, at most."""


class Bridge(Carried):
    """U users, I items; the source's vectors stay.

    Attributes
    ----------
    user_UD, item_ID
        What the source learned; zero where it knows nothing.
    liked_UL
        Items that the user liked in the source; 0 is padding.
    there_U, count_U
        Whether the source knows the user, and the user's rows in the target.
    weight
        k: rows of the target for which the bridge counts.
    """

    def __init__(self, users: int, items: int, dim: int, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("user_UD", torch.zeros(users, dim))
        self.register_buffer("item_ID", torch.zeros(items, dim))
        self.register_buffer("liked_UL", torch.zeros(users, LIKED, dtype=torch.int64))
        self.register_buffer("there_U", torch.zeros(users, dtype=torch.bool))
        self.register_buffer("count_U", torch.zeros(users))
        self.attention = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))
        last = nn.Linear(2 * dim, dim * dim)
        self.map = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), last)
        initialise(self, 0)
        # The map begins as no map at all: the user is who he is in the source.
        nn.init.zeros_(last.weight)

    def forward(self, vectors: Mapping[str, Tensor], id_B: Mapping[str, Tensor], tables: nn.ModuleDict) -> Vectors:
        """Return the users' vectors, drawn towards those that crossed."""
        user_V, back_B = torch.unique(id_B["user"], return_inverse=True)
        carried_BD = self._crossed(user_V)[back_B]
        own_B1 = self.get_buffer("count_U")[id_B["user"]][:, None]
        bridge_B1 = self.weight * self.get_buffer("there_U")[id_B["user"]].float()[:, None]
        whole_B1 = (own_B1 + bridge_B1).clamp(min=1e-6)
        return {"user": (own_B1 * vectors["user"] + bridge_B1 * carried_BD) / whole_B1}

    def _crossed(self, user_V: Tensor) -> Tensor:
        """Return u_bridge [V, D] = u + W_u u, with W_u made of the items that the user liked."""
        user_VD, liked_VL = self.get_buffer("user_UD")[user_V], self.get_buffer("liked_UL")[user_V]
        item_VLD, there_VL = self.get_buffer("item_ID")[liked_VL], liked_VL > 0
        logit_VL = self.attention(item_VLD).squeeze(-1).masked_fill(~there_VL, FLOOR)
        share_VL = torch.softmax(logit_VL, dim=1) * there_VL
        taste_VD = (share_VL[..., None] * item_VLD).sum(1)
        map_VDD = self.map(taste_VD).view(-1, *user_VD.shape[1:], user_VD.shape[1])
        return torch.as_tensor(user_VD + (map_VDD @ user_VD[..., None]).squeeze(-1))


def bridge(ranker: PointRanker, weight: float) -> Bridge:
    """Put a bridge under a ranker's users, in place; what the source knows is yet to be filled in."""
    sizes = ranker.sizes
    ranker.inputs.carried = made = Bridge(sizes.users, sizes.items, sizes.dim, weight)
    return made
