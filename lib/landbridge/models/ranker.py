"""The ranker: probability of the label for (user, item, scenario); one network for all scenarios, the scenario is
a feature.

Attention of past events on the candidate is DIN (Zhou et al. 2018).
"""

from __future__ import annotations

import itertools
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.config.associations import TAKEN
from landbridge.models.encoder import Table, Tokens
from landbridge.models.encoders import encoder_of
from landbridge.models.histories import Histories, read_of
from landbridge.models.interest import Interest
from landbridge.models.items import Items
from landbridge.models.noise import Noise
from landbridge.models.sizes import Sizes


class Ranker(nn.Module):
    """Scores K candidates of each row; candidates of a row do not see each other, and rows do not either."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        dim = sizes.rank_dim
        self.item = Items(sizes.items, dim, sizes.item_features, sizes.rank_vectors)
        self.tokens = Tokens(sizes, dim)
        self.scenario = Table(sizes.scenarios, dim)
        self.user_features = nn.Linear(sizes.user_features, dim)
        self.long_term = encoder_of(sizes.rank_encoder, dim, sizes.rank_layers, sizes.rank_heads)
        self.interest: Interest | None = None
        self.key = nn.Linear(dim, dim, bias=False)
        widths = (7 * dim, *sizes.rank_hidden)
        self.norm = nn.LayerNorm(7 * dim)
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in itertools.pairwise(widths)])
        self.item_features = nn.Linear(sizes.item_features, widths[1], bias=False)
        self.match = nn.Linear(3 * dim, dim, bias=False)
        self.logit = nn.Linear(widths[-1], 1)
        # Of the last rows, which share of every layer was done without, BKL; None where no layer is pruned.
        self.pruned_BKL: Tensor | None = None
        if sizes.kinds:
            self.associations = nn.Linear(2 * len(sizes.kinds), widths[1], bias=False)
            self.plain_associations = nn.Parameter(torch.zeros(2 * len(sizes.kinds)))
            taken_A = torch.tensor([kind == TAKEN for kind in sizes.kinds] * 2)
            self.register_buffer("taken_A", taken_A, persistent=False)

    def forward(
        self, histories: Histories, row_B: Tensor, item_BK: Tensor, feature_BKG: Tensor, noise: Noise | None = None
    ) -> Tensor:
        """Return logit_BK of candidates `item_BK` for the histories at `row_B`, with item features as of the moment.

        Where the ranker reads associations, they are the last features (`feed.associated`).
        """
        item_BKD = self.item(item_BK, noise)
        crossed_BKW, taste_BD = self._read(histories, row_B, item_BKD, noise)
        feature_BKG = self._features(item_BK, feature_BKG, noise)
        deep_BK = self.answered(crossed_BKW, histories.scenario_H[row_B], row_B, feature_BKG, noise)
        # Beside the deep part a plain product, which learns first (Cheng et al. 2016, wide and deep).
        plain_BK = (item_BKD * taste_BD[:, None]).sum(-1)
        if self.sizes.kinds:
            plain_BK = plain_BK + self._parts(feature_BKG)[1] @ self.plain_associations
        return torch.as_tensor(deep_BK + plain_BK)

    def answered(
        self, crossed_BKW: Tensor, scenario_B: Tensor, row_B: Tensor, feature_BKG: Tensor, noise: Noise | None
    ) -> Tensor:
        """Return logit_BK of what the deep part makes of a candidate; another ranker has another one."""
        return torch.as_tensor(self.logit(self._deep(crossed_BKW, row_B, feature_BKG, noise)[-1]).squeeze(-1))

    def layers(self, histories: Histories, row_B: Tensor, item_BK: Tensor, feature_BKG: Tensor) -> list[Tensor]:
        """Return the outputs BKW of all hidden layers."""
        crossed_BKW = self._read(histories, row_B, self.item(item_BK), None)[0]
        return self._deep(crossed_BKW, row_B, self._features(item_BK, feature_BKG, None), None)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return long_HD, what the encoder makes of the histories; only ids of items are dropped."""
        return self._encode(histories, noise)[2]

    def _encode(self, histories: Histories, noise: Noise | None) -> tuple[Tensor, ...]:
        """Return asked_HD, who asks; last_HD, the newest event; and of the encoder long_HD and recent_HRD, the newest
        events, each among the others.
        """
        item, recent = partial(self.item, noise=noise), min(self.sizes.rank_recent, histories.item_HL.shape[1])

        def read(item_RLD: Tensor, some: Histories, _: Noise | None) -> tuple[Tensor, ...]:
            event_RLD = self.tokens(item_RLD, some)
            asked_RD = self.scenario(some.scenario_H) + self.user_features(some.user_HF)
            long_RD, out_RLD = self.long_term(asked_RD, event_RLD, some.present)
            missing = max(recent - out_RLD.shape[1], 0)
            return asked_RD, event_RLD[:, -1], long_RD, F.pad(out_RLD[:, -recent:], (0, 0, missing, 0))

        asked_HD, last_HD, long_HD, recent_HRD = read_of(item, read, histories, noise, self.training)
        if self.interest is not None:
            long_HD = self.interest(long_HD, histories)
        return asked_HD, last_HD, long_HD, recent_HRD

    def _read(
        self, histories: Histories, row_B: Tensor, item_BKD: Tensor, noise: Noise | None
    ) -> tuple[Tensor, Tensor]:
        """Return what is known of the candidates, the user and their crossing, BKW, and the user's taste, BD."""
        # The candidate asks events that know their neighbours (Chen et al. 2019, BST); pooling leaves them as they are.
        asked_HD, last_HD, long_HD, recent_HRD = self._encode(histories, noise)
        key_HRD, present_HR = self.key(recent_HRD), histories.present[:, -self.sizes.rank_recent :]
        short_BKD = _attend(item_BKD, key_HRD[row_B], recent_HRD[row_B], present_HR[row_B])
        long_BKD = long_HD[row_B][:, None].expand_as(item_BKD)
        asked_BKD = asked_HD[row_B][:, None].expand_as(item_BKD)
        crossed = [
            item_BKD,
            short_BKD,
            long_BKD,
            asked_BKD,
            item_BKD * short_BKD,
            item_BKD * long_BKD,
            item_BKD * asked_BKD,
        ]
        taste_HD = self.match(torch.cat([long_HD, last_HD, asked_HD], dim=1))
        return self.norm(torch.cat(crossed, dim=-1)), taste_HD[row_B]

    def _features(self, item_BK: Tensor, feature_BKG: Tensor, noise: Noise | None) -> Tensor:
        """Return features BKG; where vectors are read, those of an item that has its vector alone count as average."""
        if self.item.adaptor is None:
            return feature_BKG
        if not self.sizes.kinds:
            return feature_BKG * self.item.featured(item_BK, feature_BKG, noise)[..., None]
        count_BKG, goes_BKA = self._parts(feature_BKG)
        read_BK1 = self.item.featured(item_BK, count_BKG, noise)[..., None]
        # What nobody has taken goes with nothing by its takers, so neither does what training shows as new.
        shown_BKA = torch.where(self.get_buffer("taken_A"), read_BK1, 1.0)
        return torch.cat([count_BKG * read_BK1, goes_BKA * shown_BKA], dim=-1)

    def _deep(self, hidden_BKW: Tensor, row_B: Tensor, feature_BKG: Tensor, noise: Noise | None) -> list[Tensor]:
        """Return the outputs of the hidden layers; `after_layer` may change each."""
        outputs = []
        for place, layer in enumerate(self.hidden):
            # Beside the norm: features have their own scale, and a far one must not drown the rest.
            direct: Tensor | float = self._direct(feature_BKG) if place == 0 else 0.0
            hidden_BKW = self.after_layer(place, F.gelu(layer(hidden_BKW) + direct))
            if noise is not None and self.sizes.rank_dropout > 0:
                mask_HW = noise.mask(f"hidden{place}", hidden_BKW.shape[-1], self.sizes.rank_dropout)
                hidden_BKW = hidden_BKW * mask_HW[row_B][:, None]
            outputs.append(hidden_BKW)
        return outputs

    def _parts(self, feature_BKG: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features that are counts and prices, BKG, and the associations, BKA."""
        return feature_BKG[..., : self.sizes.item_features], feature_BKG[..., self.sizes.item_features :]

    def _direct(self, feature_BKG: Tensor) -> Tensor:
        """Return what the features add to the first hidden layer, BKW."""
        if not self.sizes.kinds:
            return torch.as_tensor(self.item_features(feature_BKG))
        count_BKG, goes_BKA = self._parts(feature_BKG)
        return torch.as_tensor(self.item_features(count_BKG) + self.associations(goes_BKA))

    def after_layer(self, place: int, hidden_BKW: Tensor) -> Tensor:
        """Return a hidden layer's output; a network with another one beside it adds that one's here."""
        return hidden_BKW


def _attend(item_BKD: Tensor, key_BRD: Tensor, event_BRD: Tensor, present_BR: Tensor) -> Tensor:
    """Return what the recent events say about each candidate, BKD; nothing where there are no events."""
    weight_BKR = item_BKD @ key_BRD.transpose(1, 2) / item_BKD.shape[-1] ** 0.5
    weight_BKR = torch.softmax(weight_BKR.masked_fill(~present_BR[:, None], -1e9), dim=-1) * present_BR[:, None]
    return weight_BKR @ event_BRD
