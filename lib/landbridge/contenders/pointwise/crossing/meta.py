"""An initialisation that adapts in a step, scenarios being the tasks: first-order MAML (Finn et al. 2017, section 5.2).

It is fitted once, from the source's ranker, on the rows of all scenarios, and continued on each target.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing.fine_tune import FineTune
from landbridge.contenders.pointwise.fitting import Fit, Fitting, Material
from landbridge.contenders.pointwise.objective import Labels, Objective
from landbridge.contenders.pointwise.tasks import Tasks


class Meta(FineTune):
    """The initialisation, all of its weights learned on; it takes every scenario for the source."""

    name = "meta"

    def begun(self, fitting: Fitting, view: PointView) -> Fit:
        """Return the initialisation, made once for all targets of the same rows and seed."""
        return fitting.once("initialisation", view, lambda: self._initialisation(fitting, view))

    def _initialisation(self, fitting: Fitting, view: PointView) -> Fit:
        source, code_N = fitting.source(view), view.rows.scenario_N

        def tasks(whole: Labels) -> Objective:
            parts = [_part(whole, np.flatnonzero(code_N == code)) for code in np.unique(code_N[code_N > 0])]
            return Tasks(parts, view.config.transfer.meta)

        # What adapts best before any step of its own is not told by held-out rows: the last epoch stays.
        given = Material(view.rows, view.rows, None, source.as_scenario)
        return fitting.fitted(view, copy.deepcopy(source.ranker), given, continued=True, around=tasks)


def _part(whole: Labels, index: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Labels:
    return replace(whole, train=whole.train.take(index), answer_NK=whole.answer_NK[index])
