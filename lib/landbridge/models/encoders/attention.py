"""Self-attention over a user's events: SASRec (Kang and McAuley 2018), with who asks as a token of its own.

The layers follow Vaswani et al. 2017 with the normalisation in front (Xiong et al. 2020). Positions are told by the age
of an event, which its vector holds, and not by its number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.encoders.base import Encoder


class Attention(Encoder):
    """Layers of self-attention; what the asking token gathered stands for the whole."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__([Layer(dim, heads) for _ in range(layers)])

    def forward(self, asked_HD: Tensor, event_HLD: Tensor, present_HL: Tensor) -> tuple[Tensor, Tensor]:
        """Return the asking token's output and those of the events."""
        token_HTD = torch.cat([asked_HD[:, None], event_HLD], dim=1)
        present_HT = F.pad(present_HL, (1, 0), value=True)
        for layer in self:
            token_HTD = layer(token_HTD, present_HT)
        return token_HTD[:, 0], token_HTD[:, 1:]


class Layer(nn.Module):
    """One pre-norm transformer layer over tokens, of which `present_HT` says the real ones."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.before_wide = nn.LayerNorm(dim)
        self.wide = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)

    def forward(self, token_HTD: Tensor, present_HT: Tensor) -> Tensor:
        """Return the tokens, changed."""
        rows, length, dim = token_HTD.shape
        parts = self.query_key_value(self.before_attention(token_HTD)).view(
            rows, length, 3, self.heads, dim // self.heads
        )
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=present_HT[:, None, None, :])
        token_HTD = token_HTD + self.out(read.transpose(1, 2).reshape(rows, length, dim))
        return torch.as_tensor(token_HTD + self.narrow(F.gelu(self.wide(self.before_wide(token_HTD)))))
