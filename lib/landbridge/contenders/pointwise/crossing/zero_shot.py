"""The source's ranker as it is, asked about any scenario as if it were the source."""

from __future__ import annotations

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.base import RowStrategy
from landbridge.contenders.pointwise.fitting import Fit, Fitting


class ZeroShot(RowStrategy):
    """No row of a target moves any weight, so one fit serves all."""

    name = "zero_shot"
    pooled = True

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return why not: there is no source."""
        source = view.config.transfer.source
        return None if len(view.rows.of_scenario(source)) else f"the source {source} has no training rows"

    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit the source."""
        return fitting.source(view)
