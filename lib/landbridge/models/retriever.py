"""The retriever: two towers with a shared item embedding; its vectors make the candidates of the daily table.

Two towers with sampled softmax and log-Q correction: Yi et al. 2019, "Sampling-bias-corrected neural modeling".
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoder import HistoryEncoder, Table
from landbridge.models.histories import Histories, read_of
from landbridge.models.interest import Interest
from landbridge.models.items import Items
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
        self.item = Items(sizes.items, sizes.dim, sizes.item_features, sizes.vectors)
        self.bias = Table(sizes.items, 1)
        self.item_features = nn.Linear(sizes.item_features, sizes.dim + 1)
        self.encoder = HistoryEncoder(sizes, RECENT)
        self.interest: Interest | None = None
        self.log_temperature = nn.Parameter(torch.tensor(math.log(sizes.temperature or sizes.dim**0.5)))

    def users(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HW: the user's vector over the temperature, and a one."""
        return self.pointed(self.encoded(histories, noise))

    def pointed(self, user_HD: Tensor) -> Tensor:
        """Return user_HW of what the encoder made."""
        return F.pad(user_HD * torch.exp(-self.log_temperature), (0, 1), value=1.0)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD, what the encoder makes of the histories."""
        item = partial(self.item, noise=noise)
        (user_HD,) = read_of(item, lambda *given: (self.encoder(*given),), histories, noise, self.training)
        return user_HD if self.interest is None else torch.as_tensor(self.interest(user_HD, histories))

    def embedded(self, item: Tensor, noise: Noise | None = None) -> Tensor:
        """Return what is learned of items alone, [..., W]."""
        return torch.cat([self.item(item, noise), self.biased(item, noise)], dim=-1)

    def biased(self, item: Tensor, noise: Noise | None) -> Tensor:
        """Return the bias of items, [..., 1]; where vectors are read, one whose id does not count has none."""
        bias = self.bias(item)
        return torch.as_tensor(bias if self.item.adaptor is None else bias * self.item.counted(item, noise)[..., None])

    def items(self, item_C: Tensor, feature_CG: Tensor, noise: Noise | None = None) -> Tensor:
        """Return item_CW of ids and of features as of the moment."""
        if self.item.adaptor is not None:
            feature_CG = feature_CG * self.item.featured(item_C, feature_CG, noise)[..., None]
        return torch.as_tensor(self.embedded(item_C, noise) + self.item_features(feature_CG))

    def scores(self, user_HW: Tensor, item_N: Tensor, feature_HNG: Tensor, noise: Noise | None = None) -> Tensor:
        """Return score_HN of the same items for every user, with features as of each user's own moment."""
        plain_HN = user_HW @ (self.embedded(item_N, noise) + self.item_features.bias).T
        taste_HG = user_HW @ self.item_features.weight
        told_HN = torch.einsum("hg,hng->hn", taste_HG, feature_HNG)
        if self.item.adaptor is not None:
            told_HN = told_HN * self.item.featured(item_N, feature_HNG, noise)
        return plain_HN + told_HN
