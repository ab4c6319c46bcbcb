"""The target's ranker reads users and items smoothed over the graph of both scenarios' likes: LightGCN (He et al.
2020), BiTGCF (Liu et al. 2020).

It begins fresh, as in target_only, and is fitted on the target's rows: what crosses are the source's edges
(`models.rankers.graph`).
"""

from __future__ import annotations

import numpy as np
import torch

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import RowStrategy, no_source
from landbridge.contenders.pointwise.crossing.bridge import nobody_in_both
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material, either
from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.forms import change
from landbridge.models.rankers.graph import Graph


class Connected(RowStrategy):
    """The mean of e, A e, A A e ... in the place of the vectors of user and item."""

    name = "graph"

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return why not: there is no source, it is the target, or no user joins the two."""
        return no_source(view) or nobody_in_both(view, settings, self.name)

    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit on the target's rows, those of one fold after those of another."""
        own = Material.alone(view)
        given = Material(own.rows, either(view.rows, view.config.transfer.source, view.scope), own.held_out)
        ranker = self.start(fitting, view, given)
        graph = ranker.inputs.carried
        assert isinstance(graph, Graph)

        def folded(labels: Labels) -> Objective:
            train = labels.train
            return labels.by(graph.folds(train.user_N, train.item_N))

        return fitting.fitted(view, ranker, given, around=folded)

    def start(self, fitting: Fitting, view: PointView, given: Material) -> PointRanker:
        """Return a fresh ranker with the graph of what it has seen under its users and items."""
        seen = given.seen
        ranker = fitting.new(view, given.rows, seen)
        known = fitting.known(view, seen)
        both_N = known.user_U[seen.user_N] & known.item_I[seen.item_N]
        pair_N = seen.user_N.astype(np.int64) * ranker.sizes.items + seen.item_N
        trained_T, liked_E = np.unique(pair_N[both_N]), np.unique(pair_N[both_N & (seen.label_N > 0)])
        shape = {"edges": len(liked_E), "pairs": len(trained_T), "layers": view.config.transfer.graph.layers}
        change(ranker, {"name": self.name, **shape})
        graph = ranker.inputs.carried
        assert isinstance(graph, Graph)
        graph.get_buffer("liked_E").copy_(torch.from_numpy(liked_E))
        graph.get_buffer("trained_T").copy_(torch.from_numpy(trained_T))
        return ranker
