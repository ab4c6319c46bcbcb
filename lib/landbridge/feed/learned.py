"""The rows that each fit of a night of lists learns from: those of its days, or of its parts where it has parts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow.compute as pc

from landbridge.config.days import Fit, days_of
from landbridge.errors import DataError
from landbridge.feed.interactions import Interactions
from landbridge.feed.kept import Kept
from landbridge.feed.questions import LEARNED
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake


@dataclass
class FitRows:
    """The interactions of a night by fit; each is read once. `kept` is what a study lets its networks know."""

    lake: Lake
    vocabulary: Vocabulary
    ds: dt.date
    kept: Kept | None = None
    _parts: dict[Fit, Interactions] = field(default_factory=dict, repr=False)

    @cached_property
    def whole(self) -> Interactions:
        """All rows up to the night, of whatever part, that may be learned from."""
        if self.kept is None:
            return Interactions.read(self.lake, self.vocabulary, self.ds)
        return self.kept.of(Interactions.read(self.lake, self.vocabulary, self.ds, self.kept.where))

    def learned(self, fit: Fit) -> Interactions:
        """Return the rows that a fit learns from; user codes are those of `whole` only where days divide.

        Raises
        ------
        DataError
            Parts are declared, and no row is in those of the fit.
        """
        config = self.lake.config
        if config.split.part is None:
            return self.whole.before(days_of(config, self.ds).until(fit) + dt.timedelta(days=1))
        if fit not in self._parts:
            wanted = pc.field("part").isin(LEARNED[fit])
            self._parts[fit] = Interactions.read(self.lake, self.vocabulary, self.ds, wanted)
        if not len(self._parts[fit]):
            raise DataError(f"no row up to {self.ds} is in {' or '.join(LEARNED[fit])}; correct split.part")
        return self._parts[fit]
