"""The source's matrices stay; a low-rank pair a scenario learns beside each (MLoRA, Yang et al. 2024, equation 4)."""

from __future__ import annotations

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import FromSource
from landbridge.contenders.pointwise.fitting import Fit, Fitting
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.forms import change


class LowRank(FromSource):
    """W + B A: W is the source's, B A the target's own, zero at the start.

    Tables learn slowly, as in fine_tune: an id that the source never met has to become known.
    """

    name = "low_rank"

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return the source's ranker with adapters that change nothing yet."""
        ranker = super().start(fitting, view, begun)
        change(ranker, {"name": self.name})
        return ranker
