"""The target learns a ranker of its own and takes in what the source's, beside it and still, makes of the same row.

`side` adds it layer by layer through a gated linear unit (CTNet, Liu et al. 2023, equation 3); `fusion` mixes both by a
gate over every place.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import FromSource
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.beside import put_beside


class _Beside(FromSource):
    continued = False

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return a fresh ranker with a copy of the source's beside it."""
        given = Material.crossed(view)
        ranker = fitting.new(view, given.rows, given.seen)
        put_beside(ranker, met_only(begun), self.name)
        ranker.form = {"name": self.name, "source": begun.ranker.sizes.to_json()}
        return ranker


class Side(_Beside):
    """h + GLU(sg h_source)."""

    name = "side"


class Fusion(_Beside):
    """z h_source + (1 - z) h."""

    name = "fusion"


@torch.no_grad()
def met_only(begun: Fit) -> PointRanker:
    """Return a copy of a ranker to which ids that it never learned of are unknown, and not what they began as."""
    ranker = copy.deepcopy(begun.ranker)
    for field, met in (("user", begun.known.user_U), ("item", begun.known.item_I)):
        for tables in (ranker.inputs.ids, ranker.inputs.wide):
            if field in tables:
                weight: Tensor = tables[field].get_parameter("table.weight")
                weight[torch.from_numpy(~met)] = 0.0
    return ranker
