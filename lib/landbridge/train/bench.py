"""What the fits of one process share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from landbridge.feed.assemble import Assembler
from landbridge.feed.elsewhere import Elsewhere
from landbridge.feed.learned import FitRows
from landbridge.feed.vector_file import VectorFile
from landbridge.models.sizes import Sizes
from landbridge.train.associated import Associating
from landbridge.train.edges import Connecting
from landbridge.train.groups import Grouping
from landbridge.train.job import Job
from landbridge.train.progress import Progress
from landbridge.train.watch import Watch


@dataclass(frozen=True)
class Bench:
    """What every fit of a process needs."""

    job: Job
    assembler: Assembler
    watch: Watch
    progress: Progress
    vectors: Mapping[str, VectorFile] = field(default_factory=dict)
    """What the networks read beside ids, by modality."""
    _elsewhere: dict[dt.date, Elsewhere] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> FitRows:
        """The interactions of the night, read once."""
        return FitRows(self.job.lake, self.assembler.vocabulary, self.job.ds, self.job.kept)

    @cached_property
    def associating(self) -> Associating | None:
        """What the networks read of associations, where they read any."""
        settings = self.job.config.associations
        if settings is None or not self.job.config.networks_associate:
            return None
        return Associating(self.job, settings, self.rows, self.watch, self.progress)

    @cached_property
    def connecting(self) -> Connecting:
        """What the strategy graph reads."""
        return Connecting(self.job.config.transfer.graph, self.rows)

    @cached_property
    def grouping(self) -> Grouping | None:
        """What the strategy graph reads besides, where users are grouped."""
        groups = self.job.config.groups
        return None if groups is None else Grouping(self.job.lake, self.assembler.vocabulary, self.job.ds, groups)

    def elsewhere(self, until: dt.date) -> Elsewhere:
        """Return what users of several scenarios did up to and with a day; that of the last day asked for is kept."""
        if until not in self._elsewhere:
            self._elsewhere.clear()
            self._elsewhere[until] = Elsewhere.read(self.job.lake, self.assembler, until, self.job.kept)
        return self._elsewhere[until]

    def sizes(self) -> Sizes:
        """The sizes of tonight's networks."""
        size = self.assembler.vocabulary.size
        return Sizes.of(
            self.job.config,
            size("item_id"),
            size("scenario"),
            size("event_type"),
            self.assembler.n_user_features,
            self.assembler.n_item_features,
            {name: stored.width for name, stored in self.vectors.items()},
        )
