"""A ranker of lists whose deep part is one of the rankers of rows: experts, gates or pruners of the scenario.

What it reads is what the plain ranker reads: the candidate, the history and who asks, crossed and normalised, with the
item's features beside them. What a ranker of rows has beside its layers, for its gates, are the scenario's vector, the
candidate's, and for the user's what the encoder makes of his history.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landbridge.models.initial import initialise
from landbridge.models.noise import Noise
from landbridge.models.ranker import Ranker
from landbridge.models.rankers import RANKERS, RankerSizes
from landbridge.models.rankers.inputs import Given, Handed
from landbridge.models.sizes import Sizes

_ITEM, _USER, _WIDTH = 0, 2, 7
"""Where the vectors of candidate and history stand among those that are crossed, and how many these are."""


class RankerByScenario(Ranker):
    """Begins with the plain ranker's weights where it has them; its own deep part is fresh."""

    def __init__(self, plain: Ranker, kind: str, seed: int) -> None:
        super().__init__(plain.sizes)
        self.load_state_dict(plain.state_dict())
        self.hidden, told = nn.ModuleList(), plain.sizes.rank_hidden[0]
        del self.logit
        inputs = Handed(_WIDTH * plain.sizes.rank_dim + told, ("user", "item", "scenario"))
        self.deep = RANKERS[kind](rows_of(plain.sizes), inputs)
        initialise(self.deep, seed)
        self.deep.settle()

    def answered(
        self, crossed_BKW: Tensor, scenario_B: Tensor, row_B: Tensor, feature_BKG: Tensor, noise: Noise | None
    ) -> Tensor:
        """Return logit_BK; keeps which share of its layers each candidate did without, where any is pruned."""
        read_BKW = torch.cat([crossed_BKW, F.gelu(self._direct(feature_BKG))], dim=-1)
        if noise is not None and self.sizes.rank_dropout > 0:
            mask_HW = noise.mask("deep", read_BKW.shape[-1], self.sizes.rank_dropout)
            read_BKW = read_BKW * mask_HW[row_B][:, None]
        shape, dim = read_BKW.shape[:2], self.sizes.rank_dim
        scenario_R = torch.where(scenario_B < self.sizes.scenarios, scenario_B, 0).repeat_interleave(shape[1])
        part_RPD = crossed_BKW.reshape(-1, _WIDTH, dim)
        vectors = {"user": part_RPD[:, _USER], "item": part_RPD[:, _ITEM], "scenario": self.scenario(scenario_R)}
        given = Given(read_BKW.flatten(0, 1), scenario_R, vectors, read_BKW.new_zeros(len(scenario_R), 0))
        logit_R1, pruned_RL = self.deep.read_pruned(given, None)
        self.pruned_BKL = None if pruned_RL is None else pruned_RL.view(*shape, -1)
        return torch.as_tensor(logit_R1.view(shape))


def rows_of(sizes: Sizes) -> RankerSizes:
    """Return the sizes of the deep part: layers as wide as those of the plain ranker, and no vocabulary of its own."""
    return RankerSizes(
        users=1,
        items=1,
        scenarios=sizes.scenarios,
        tags=1,
        categories=(),
        numbers=0,
        dim=sizes.rank_dim,
        hidden=sizes.rank_hidden,
        tower=sizes.rank_tower,
        experts=sizes.rank_experts,
        dropout=0.0,
    )
