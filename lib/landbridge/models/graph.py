"""Light graph convolution over items: He et al. 2020, LightGCN, section 3.1, without vectors of users.

LightGCN goes from an item over its users to items in two of its layers, e'' = A e with A = R~' R~ and
R~ = D_u^-1/2 R D_i^-1/2, R what users took. Users have no vectors here, so only the layers that end at items are left:
e, A e, A A e ... , of which an item's vector is the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Edges:
    """The neighbours of every item id: near_IN int32, and share_IN float32, which sums to one over an item's."""

    near_IN: Tensor
    share_IN: Tensor


class Convolution(nn.Module):
    """The mean of an item's vector and of what its neighbours hand on in each of some layers.

    At first every item is its only neighbour, and has the vector that it had.
    """

    near: Tensor
    share: Tensor

    def __init__(self, size: int, neighbours: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        near_IN = torch.zeros(size, neighbours, dtype=torch.int32)
        share_IN = torch.zeros(size, neighbours)
        near_IN[:, 0], share_IN[:, 0] = torch.arange(size), 1.0
        self.register_buffer("near", near_IN)
        self.register_buffer("share", share_IN)

    def read(self, edges: Edges) -> None:
        """Take the edges, as of one night; there are as many ids as there were when this was made."""
        self.near.copy_(edges.near_IN)
        self.share.copy_(edges.share_IN)

    def forward(self, item_ID: Tensor) -> Tensor:
        """Return [I, D] of the vectors of all ids."""
        layer_ID = sum_ID = item_ID
        for _ in range(self.layers):
            layer_ID = F.embedding_bag(self.near, layer_ID, per_sample_weights=self.share, mode="sum")
            sum_ID = sum_ID + layer_ID
        return sum_ID / (1 + self.layers)
