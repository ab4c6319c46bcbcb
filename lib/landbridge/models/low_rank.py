"""Low-rank adapters: a matrix W that stays, and B A beside it that learns (Hu et al. 2021, LoRA, section 4.1).

One pair a scenario is MLoRA (Yang et al. 2024, equation 4): W + B_s A_s. A target's networks hold the pair of their own
scenario; B begins at zero, so that the networks begin as the source's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.initial import rows

RANK = 8


class LowRank(nn.Linear):
    """y = W x + b + s B A x. W does not learn; A [rank, in] and B [out, rank] do, and so does the bias.

    s is `scale`: alpha / rank of the paper, 1 where it is not asked for.
    """

    def __init__(self, plain: nn.Linear, name: str, seed: int, rank: int = RANK, scale: float = 1.0) -> None:
        super().__init__(plain.in_features, plain.out_features, bias=plain.bias is not None)
        self.weight, self.bias, self.scale = plain.weight, plain.bias, scale
        self.weight.requires_grad_(False)
        rank = min(rank, plain.in_features, plain.out_features)
        std = plain.in_features**-0.5
        self.low = nn.Parameter(rows(f"{name}.low", seed, 0, rank, plain.in_features, std))
        self.high = nn.Parameter(torch.zeros(plain.out_features, rank))

    def forward(self, value: Tensor) -> Tensor:
        """Return [..., out] of [..., in]."""
        return F.linear(value, self.weight, self.bias) + self.scale * ((value @ self.low.T) @ self.high.T)

    @property
    def whole(self) -> Tensor:
        """W + s B A, which does alone what the pair does beside W; B and A learn by it."""
        return self.weight + self.scale * (self.high @ self.low)

    def merged(self) -> Tensor:
        """Return `whole`, cut off from what learns."""
        return self.weight.detach() + self.scale * (self.high.detach() @ self.low.detach())


def matrix(layer: nn.Module) -> Tensor:
    """Return the matrix of a linear layer for whoever reads it without calling the layer, an adapter's pair in it."""
    assert isinstance(layer, nn.Linear)
    return layer.whole if isinstance(layer, LowRank) else layer.weight


def adapt(network: nn.Module, seed: int, rank: int = RANK, scale: float = 1.0) -> None:
    """Put an adapter beside every matrix of a network, in place; those of one column or row are left as they are.

    What a module reads by its weight and not by calling it (`item_features`) keeps learning as it is.
    """
    for name, module in list(network.named_modules()):
        for child, layer in list(module.named_children()):
            if type(layer) is nn.Linear and child != "item_features" and min(layer.weight.shape) > 1:
                setattr(module, child, LowRank(layer, f"{name}.{child}", seed, rank, scale))
