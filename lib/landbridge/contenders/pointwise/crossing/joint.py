"""The control of multi-scenario learning: one ranker of all scenarios, the scenario as a feature."""

from __future__ import annotations

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import RowStrategy
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material


class Joint(RowStrategy):
    """Fresh weights, all rows of all scenarios."""

    name = "joint"
    pooled = True

    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit on all rows."""
        return fitting.fresh(view, Material.alone(view))
