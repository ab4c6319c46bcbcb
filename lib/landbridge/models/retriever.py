"""The retriever: two towers with a shared item embedding; its vectors make the candidates of the daily table.

Two towers with sampled softmax and log-Q correction: Yi et al. 2019, "Sampling-bias-corrected neural modeling".
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoder import HistoryEncoder, Table
from landbridge.models.histories import Histories
from landbridge.models.noise import Noise
from landbridge.models.sizes import Sizes

RECENT = 10
"""Events of the short-term part."""


class Retriever(nn.Module):
    """score(u, i) = user . item / temperature + bias, so that a whole catalogue is one matrix product.

    Vectors have the width W = dim + 1: the last place of an item is its bias, of a user a one. Item features enter
    linearly:
    log counts as a popularity prior, and how much of it each user follows.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.item = Table(sizes.items, sizes.dim)
        self.bias = Table(sizes.items, 1)
        self.item_features = nn.Linear(sizes.item_features, sizes.dim + 1)
        self.encoder = HistoryEncoder(sizes, RECENT)
        self.log_temperature = nn.Parameter(torch.tensor(0.5 * math.log(sizes.dim)))

    def users(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HW: the user's vector over the temperature, and a one."""
        return F.pad(self.encoded(histories, noise) * torch.exp(-self.log_temperature), (0, 1), value=1.0)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD, what the encoder makes of the histories."""
        return torch.as_tensor(self.encoder(self.item(histories.item_HL), histories, noise))

    def embedded(self, item: Tensor) -> Tensor:
        """Return what is learned of items alone, [..., W]."""
        return torch.cat([self.item(item), self.bias(item)], dim=-1)

    def items(self, item_C: Tensor, feature_CG: Tensor) -> Tensor:
        """Return item_CW of ids and of features as of the moment."""
        return torch.as_tensor(self.embedded(item_C) + self.item_features(feature_CG))

    def scores(self, user_HW: Tensor, item_N: Tensor, feature_HNG: Tensor) -> Tensor:
        """Return score_HN of the same items for every user, with features as of each user's own moment."""
        plain_HN = user_HW @ (self.embedded(item_N) + self.item_features.bias).T
        taste_HG = user_HW @ self.item_features.weight
        return plain_HN + torch.einsum("hg,hng->hn", taste_HG, feature_HNG)
