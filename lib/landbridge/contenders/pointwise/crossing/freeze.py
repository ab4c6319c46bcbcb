"""The body of the source's ranker stays, a head is trained (Yosinski et al. 2014, section 2: transferred features that
are left frozen).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import FromSource
from landbridge.contenders.pointwise.fitting import Fit, Fitting
from landbridge.feed.rows import Rows
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.forms import change
from landbridge.models.rankers.frozen import hold_met


class Freeze(FromSource):
    """The head: last layers, what is a scenario's own, biases (`models.rankers.frozen`).

    Rows of ids that the source met stay as they are; one that it never met has a row of its own, which is learned.
    """

    name = "freeze"

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return a copy of the source's ranker, the body of which does not learn."""
        ranker = super().start(fitting, view, begun)
        change(ranker, {"name": self.name})
        hold_met(ranker, _met(view.rows.of_scenario(view.config.transfer.source), begun))
        return ranker


def _met(rows: Rows, begun: Fit) -> dict[str, Tensor]:
    """Return masks of the ids that the source has learned, by field; the unknown of every field is among them."""
    coding = rows.coding
    counts = {name: np.bincount(rows.category_NC[:, at], minlength=coding.size(name)) > 0
              for at, name in enumerate(coding.categories)}  # fmt: skip
    found = {f"category{at}": counts[name] for at, name in enumerate(coding.categories)}
    found |= {"user": begun.known.user_U.copy(), "item": begun.known.item_I.copy()}
    found["tag"] = np.bincount(rows.tag_NT.indices, minlength=coding.size("tag")) > 0
    for met in found.values():
        met[0] = True
    return {field: torch.from_numpy(met) for field, met in found.items()}
