"""The first levels of a blend: one of all scenarios, or one each. No seed changes them, so all seeds share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landbridge.config.neighbours import Memory
from landbridge.contenders.pointwise.first import First, out_of_fold
from landbridge.contenders.pointwise.parts import Features, Part
from landbridge.contenders.pointwise.remembered import Remembered
from landbridge.feed.rows import Rows

EVERYWHERE = 0


@dataclass(frozen=True)
class Firsts:
    """First levels by the id of their scenario; 0 is that of all.

    What they said of rows is kept as long as the rows are: a study asks about the same ones with every seed.
    """

    by_scenario: Mapping[int, First]
    _said: Remembered[Features] = field(default_factory=Remembered, compare=False, repr=False)

    def features(self, rows: Rows) -> Features:
        """Return what they say of the rows, by feature."""
        return self._said.of(rows, lambda: self._features(rows))

    def _features(self, rows: Rows) -> Features:
        found: Features = {}
        for scenario, first in self.by_scenario.items():
            place = np.arange(len(rows)) if scenario == EVERYWHERE else np.flatnonzero(rows.scenario_N == scenario)
            put(found, place, first.features(rows.take(place)), len(rows))
        return found


def fit_firsts(
    rows: Rows, scopes: Mapping[int, NDArray[np.intp]], parts: Sequence[Part], given: Memory
) -> tuple[Firsts, Features]:
    """Return the first levels, each fitted on its rows, and what they say of these rows out of fold."""
    found: Features = {}
    firsts: dict[int, First] = {}
    for scenario, place in scopes.items():
        own = rows.take(place)
        firsts[scenario] = First.fit(own, parts, given.levels)
        put(found, place, out_of_fold(firsts[scenario], own, parts, given.levels, given.folds), len(rows))
    return Firsts(firsts), found


def put(found: Features, place: NDArray[np.intp], some: Features, count: int) -> None:
    """Write the features of some of `count` rows into those of all; the others begin at zero."""
    for name, value in some.items():
        found.setdefault(name, np.zeros(count, np.float32))[place] = value
