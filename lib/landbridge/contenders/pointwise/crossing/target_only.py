"""The control: nothing crosses."""

from __future__ import annotations

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import RowStrategy
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material


class TargetOnly(RowStrategy):
    """Fresh weights, the rows of the scope."""

    name = "target_only"
    crosses = False

    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit on the scope's rows."""
        return fitting.fresh(view, Material.alone(view))
