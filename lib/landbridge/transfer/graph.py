"""An item's vector takes in those of the items that the same users took, in whatever scenario: light graph convolution
(He et al. 2020, LightGCN) over the users and items of both scenarios at once (Liu et al. 2020, BiTGCF).

No user has a vector of his own here: he is his history, and so what moves between scenarios moves along the items. The
edges are learned of the days of the fit (`train.edges`). Where the night finds groups of users, what the user's group
of the source takes in the target stands in for what he has not done there yet (`models.interest`).
"""

from __future__ import annotations

from landbridge.config.crossing import GRAPH
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing
from landbridge.transfer.fine_tune import FineTune


class Graph(FineTune):
    """Fine-tuning with vectors of items that are means over their neighbours'."""

    name = GRAPH
    edges = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks in which every item is its only neighbour yet."""
        return super().start(source, sizes, seed, crossing).changed(GRAPH, seed)
