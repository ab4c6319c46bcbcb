"""Reads a user's history: an encoder over all events, and what the scenario asks of the recent ones.

Long-term and short-term parts side by side are those of SHAN (Ying et al. 2018); the encoders stand in `encoders/`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.models.encoders import encoder_of
from landbridge.models.encoders.pooled import mean
from landbridge.models.histories import Histories
from landbridge.models.noise import Noise, drop
from landbridge.models.sizes import Reads

AGE_EDGES = (0.01, 0.5, 1.5, 3.5, 7.5, 14.5, 30.5, 60.5, 90.5, 180.5, 365.5, 730.5)
"""Bounds of the age buckets, in days."""


class Table(nn.Module):
    """An embedding table whose row 0 is padding and the unknown: always zero, never learned.

    `held` says of each id whether its row stays as it is; None where every row learns.
    """

    held: Tensor | None

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(size, dim, padding_idx=0)
        self.register_buffer("held", None)

    def forward(self, ids: Tensor) -> Tensor:
        """Return rows [..., D] of ids; an id beyond the table is unknown."""
        row = torch.where(ids < self.table.num_embeddings, ids, 0)
        value = torch.as_tensor(self.table(row))
        return value if self.held is None else torch.where(self.held[row][..., None], value.detach(), value)


class Tokens(nn.Module):
    """Makes a vector of each event: item + scenario + type + age + outcome."""

    def __init__(self, sizes: Reads, dim: int) -> None:
        super().__init__()
        self.scenario = Table(sizes.scenarios, dim)
        self.event_type = Table(sizes.types, dim)
        self.age = Table(len(AGE_EDGES) + 2, dim)
        self.outcome = nn.Linear(1, dim, bias=False)
        self.register_buffer("edges", torch.tensor(AGE_EDGES), persistent=False)
        self.norm = nn.LayerNorm(dim)

    def forward(self, item_HLD: Tensor, histories: Histories) -> Tensor:
        """Return token_HLD; zero where there is no event."""
        bucket_HL = 1 + torch.bucketize(histories.age_HL, self.get_buffer("edges"))
        token_HLD = (
            item_HLD + self.scenario(histories.scenario_HL) + self.event_type(histories.type_HL) + self.age(bucket_HL)
        )
        token_HLD = token_HLD + self.outcome(histories.outcome_HL[..., None])
        return torch.as_tensor(self.norm(token_HLD) * histories.present[..., None])


class HistoryEncoder(nn.Module):
    """History -> user vector: what the encoder gathered, the long-term mean, the recent events that answer to the
    scenario.
    """

    def __init__(self, sizes: Reads, recent: int) -> None:
        super().__init__()
        dim = sizes.dim
        self.recent, self.rate = recent, sizes.dropout
        self.tokens = Tokens(sizes, dim)
        self.asked = Table(sizes.scenarios, dim)
        self.features = nn.Linear(sizes.user_features, dim)
        self.layers = encoder_of(sizes.encoder, dim, sizes.layers, sizes.heads)
        self.short_key = nn.Linear(dim, dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)
        self.plain = nn.Linear(dim, dim, bias=False)
        self.user = nn.Sequential(nn.Linear(4 * dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, item_HLD: Tensor, histories: Histories, noise: Noise | None) -> Tensor:
        """Return user_HD. A user without a history is told by the scenario and the features."""
        return self.read(item_HLD, histories, noise)[0]

    def read(self, item_HLD: Tensor, histories: Histories, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Return user_HD and out_HLD, each event among the others, for a candidate to ask."""
        event_HLD = self.tokens(item_HLD, histories)
        present_HL = histories.present
        if noise is not None and self.rate > 0:
            present_HL = present_HL & (noise.mask("events", present_HL.shape[1], self.rate) > 0)
        asked_HD = self.asked(histories.scenario_H) + self.features(histories.user_HF)
        gathered_HD, out_HLD = self.layers(asked_HD, event_HLD, present_HL)
        long_HD = mean(out_HLD, present_HL)
        short_HD = self._short(asked_HD, event_HLD[:, -self.recent :], present_HL[:, -self.recent :])
        user_HW = self.norm(torch.cat([gathered_HD, long_HD, short_HD, asked_HD], dim=1))
        # The straight way from items to items, as neighbour methods go it (FISM, Kabbur et al. 2013).
        plain_HD = (item_HLD * present_HL[..., None]).sum(1) / present_HL.sum(1).clamp(min=1)[:, None] ** 0.5
        user_HD = self.user(drop(noise, user_HW, "user", self.rate)) + self.plain(plain_HD)
        return torch.as_tensor(user_HD), out_HLD

    def _short(self, asked_HD: Tensor, event_HRD: Tensor, present_HR: Tensor) -> Tensor:
        weight_HR = (self.short_key(event_HRD) * asked_HD[:, None]).sum(-1) / event_HRD.shape[-1] ** 0.5
        # A finite floor and the mask again: a row without recent events sums to nothing, and not to NaN.
        weight_HR = torch.softmax(weight_HR.masked_fill(~present_HR, -1e9), dim=1) * present_HR
        return torch.as_tensor((weight_HR[..., None] * event_HRD).sum(1))
