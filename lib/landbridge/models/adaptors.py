"""Adaptors: what an item's vector of a modality adds to its embedding.

A mixture of experts over whitened vectors (Hou et al. 2022, UniSRec, equation 4, without the noise of its gate), one a
modality. Where several are read, a learned vector stands for one that an item lacks, and training hides some, so that
it is learned although all training items may have it (as Volkovs et al. 2017, DropoutNet, hide what is missing later).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.config.modalities import TEXT
from landbridge.models.sizes import Adapting


class Adaptor(nn.Module):
    """sum_k g_k(x) V_k x with g = softmax(U x): zero for x = 0, so that an item without a vector gets nothing."""

    missing: nn.Parameter | None

    def __init__(self, width: int, experts: int, dim: int, missing: bool = False) -> None:
        super().__init__()
        self.shape, self.width = (experts, dim), width
        self.experts = nn.Linear(width, experts * dim, bias=False)
        self.gate = nn.Linear(width, experts)
        self.register_parameter("missing", nn.Parameter(torch.zeros(dim)) if missing else None)

    def forward(self, white_NW: Tensor) -> Tensor:
        """Return [N, D] of whitened vectors."""
        said_NKD = self.experts(white_NW).view(-1, *self.shape)
        share_NK = torch.softmax(self.gate(white_NW), dim=1)
        return torch.as_tensor((share_NK[..., None] * said_NKD).sum(1))

    def filled(self, white_NW: Tensor, shown_N: Tensor, there_N: Tensor) -> Tensor:
        """Return [N, D]: of items that are `there`, what is learned of a missing vector where theirs is not `shown`."""
        assert self.missing is not None
        lacks_N1 = (there_N & ~shown_N)[:, None]
        return torch.where(shown_N[:, None], self(white_NW), self.missing * lacks_N1)


def adaptor_of(given: Adapting, dim: int) -> Adaptor | nn.ModuleDict | None:
    """Return the adaptor of texts where they are read alone, one a modality where there are others, or none."""
    if not given.others:
        return Adaptor(given.width, given.experts, dim) if given.width else None
    made = {name: Adaptor(width, given.experts, dim, missing=True) for name, width in given.widths.items()}
    # A module may not be called as what a module has, `items` or `type`.
    return nn.ModuleDict({f"of_{name}": adaptor for name, adaptor in made.items()})


def by_modality(adaptor: Adaptor | nn.ModuleDict) -> dict[str, Adaptor]:
    """Return the adaptors by the names of their modalities."""
    if isinstance(adaptor, Adaptor):
        return {TEXT: adaptor}
    return {key.removeprefix("of_"): one for key, one in adaptor.items() if isinstance(one, Adaptor)}
