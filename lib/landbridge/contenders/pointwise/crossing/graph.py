"""The ranker reads users and items smoothed over the graph of both scenarios' likes: LightGCN (He et al. 2020), BiTGCF
(Liu et al. 2020).

It begins from the source's ranker and is fitted on the target's rows: an item that the source never met begins as what
its users liked there (`models.rankers.graph`).
"""

from __future__ import annotations

import numpy as np
import torch

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import FromSource, no_source
from landbridge.contenders.pointwise.crossing.beside import met_only
from landbridge.contenders.pointwise.crossing.bridge import nobody_in_both
from landbridge.contenders.pointwise.fitting import Around, Fit, Fitting, Material
from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.forms import change
from landbridge.models.rankers.graph import Graph


class Connected(FromSource):
    """The mean of e, A e, A A e ... in the place of the vectors of user and item.

    Smoothed vectors are new to what reads them, so all learns at the rate of what is fresh.
    """

    name = "graph"
    continued = False

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return why not: as for the others, or no user joins the two."""
        return no_source(view) or nobody_in_both(view, settings, self.name)

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return a copy of the source's ranker with the graph of both scenarios under its users and items."""
        ranker, seen = met_only(begun), Material.crossed(view).seen
        known = fitting.known(view, seen)
        both_N = known.user_U[seen.user_N] & known.item_I[seen.item_N]
        pair_N = seen.user_N.astype(np.int64) * ranker.sizes.items + seen.item_N
        trained_T, liked_E = np.unique(pair_N[both_N]), np.unique(pair_N[both_N & (seen.label_N > 0)])
        shape = {"edges": len(liked_E), "pairs": len(trained_T), "layers": view.config.transfer.graph.layers}
        change(ranker, {"name": self.name, **shape})
        graph = _graph_of(ranker)
        graph.get_buffer("liked_E").copy_(torch.from_numpy(liked_E))
        graph.get_buffer("trained_T").copy_(torch.from_numpy(trained_T))
        return ranker

    def around(self, fitting: Fitting, view: PointView, begun: Fit) -> Around:
        """Return what orders rows by their fold, so that a step reads one graph."""

        def folded(labels: Labels) -> Objective:
            train = labels.train
            return labels.by(_graph_of(labels.ranker).folds(train.user_N, train.item_N))

        return folded


def _graph_of(ranker: PointRanker) -> Graph:
    graph = ranker.inputs.carried
    assert isinstance(graph, Graph)
    return graph
