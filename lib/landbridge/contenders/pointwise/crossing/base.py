"""What a strategy of rows is: how a ranker of a target is fitted, from the source's, beside it, or without it.

The strategies have the names and the papers of those of lists (`landbridge.transfer`) and read the same configuration.
They differ in what they begin from and in what is asked of them: a row has a label and no list, a fit is made fresh
each night, and one object, `Fitting`, fits whatever a strategy has begun.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import ClassVar

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.fitting import Around, Fit, Fitting, Material
from landbridge.models.rankers import PointRanker


class RowStrategy(ABC):
    """One way to a target's ranker. It holds no state."""

    name: ClassVar[str]
    """The name that the configuration knows; it ends the contender's."""
    crosses: ClassVar[bool] = True
    """Whether it learns from other scenarios."""
    pooled: ClassVar[bool] = False
    """Whether one fit serves all scenarios."""

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return a sentence that says why there is nothing to fit on a view that has rows of its own, or None."""
        return None

    @abstractmethod
    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit on the view."""


class FromSource(RowStrategy):
    """The target's ranker begins from the source's fit, or beside it, and is fitted on the target's rows.

    It takes the target for the source: what the source learned of its own scenario is where the target begins.
    """

    continued: ClassVar[bool] = True
    """Whether what learns has been learned before: it moves at the rate of fine-tuning then."""

    def left_out(self, view: PointView, settings: RankerSettings) -> str | None:
        """Return why not: there is no source, or it is the target."""
        return no_source(view)

    def fit(self, fitting: Fitting, view: PointView) -> Fit:
        """Fit what was started."""
        begun = self.begun(fitting, view)
        ranker = self.start(fitting, view, begun)
        return fitting.fitted(
            view, ranker, Material.crossed(view), self.continued, around=self.around(fitting, view, begun)
        )

    def begun(self, fitting: Fitting, view: PointView) -> Fit:
        """Return the fit to begin from, which stays as it is."""
        return fitting.source(view)

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return the ranker to be fitted."""
        return copy.deepcopy(begun.ranker)

    def around(self, fitting: Fitting, view: PointView, begun: Fit) -> Around | None:
        """Return what makes another objective of the target's labels, or None."""
        return None


def no_source(view: PointView) -> str | None:
    """Return a sentence where the view has no source, or is of the source itself."""
    source = view.config.transfer.source
    if not len(view.rows.of_scenario(source)):
        return f"the source {source} has no training rows"
    if view.scope == source:
        return f"{source} is the source, there is nothing to continue"
    return None
