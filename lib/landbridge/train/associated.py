"""What the networks of a night know of associations: the kinds as of the days that its fits ask about.

A kind as of a day is learned of the days up to and with it, by the same lines as the contender's. It lies in a file
that is made when it is first asked for. What users took is learned apart for a network that may see its own scenario
only; texts and attributes are the items', and the same for all.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from landbridge.config.associations import TAKEN, TEXT
from landbridge.config.associations import Associations as Settings
from landbridge.contenders.associations import too_many
from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import scope_folder
from landbridge.contenders.graph import open_kind, write_kind
from landbridge.contenders.kinds import homes, kind_of
from landbridge.feed.associated import Associated, Timeline
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.learned import FitRows
from landbridge.feed.vectors import Vectors, revision_of
from landbridge.feed.words import Words
from landbridge.step import Night
from landbridge.train.job import Job
from landbridge.train.progress import Progress
from landbridge.train.ranks import Ranks
from landbridge.train.watch import Watch

FOLDER = "associations"
"""Where they lie in a night's folder of models."""
_DAY = dt.timedelta(days=1)


def forget_associated(night: Night) -> None:
    """Remove what an earlier run of the night made: its rows may have been others."""
    shutil.rmtree(night.models / FOLDER, ignore_errors=True)


@dataclass(frozen=True)
class Associations:
    """What the networks of one fit read: while they learn, and when they score; None where they read nothing."""

    learning: Timeline | None = None
    tonight: Associated | None = None


@dataclass
class Associating:
    """Finds the kinds as of any day, for a process of a job."""

    job: Job
    settings: Settings
    rows: FitRows
    watch: Watch
    progress: Progress
    _told: set[str] = field(default_factory=set)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are asked for: those that the ranker reads, or all where candidates come from them."""
        config = self.job.config
        return config.ranker_kinds if config.ranker.candidates is None else self.settings.kinds

    def between(self, since: dt.date, until: dt.date, scope: str, ranks: Ranks) -> Associations:
        """Return what a fit on the rows of a scope in the days (since, until] reads.

        The rank that leads makes the files day by day, and the others find them.
        """
        days = [*self._days(since, until), until]
        if ranks.size > 1:
            for day in days:
                self.watch.beat(f"waiting for associations as of {day}")
                if ranks.leads:
                    self.as_of(day, scope, self.kinds)
                ranks.barrier()
        timeline = self.timeline(since, until, scope) if len(days) > 1 else None
        return Associations(timeline, self.as_of(until, scope, self.kinds))

    def as_of(self, day: dt.date, scope: str, kinds: Sequence[str]) -> Associated:
        """Return kinds as of the end of a day, of the rows of a scope (``*``: all)."""
        places = {}
        for kind in kinds:
            own = scope if kind == TAKEN else ALL
            places[kind] = self.job.models / FOLDER / day.isoformat() / scope_folder(own) / kind
            if not places[kind].exists():
                self.watch.beat(f"associating items by {kind} as of {day}")
                write_kind(self._found(kind, day, own), places[kind])
        return Associated({kind: open_kind(place) for kind, place in places.items()}, places)

    def timeline(self, since: dt.date, until: dt.date, scope: str) -> Timeline:
        """Return what rows of the days (since, until] read: kinds as of `since`, and of every so many days from it."""
        days, kinds = self._days(since, until), self.job.config.ranker_kinds
        day_P = np.array([days_since_epoch(day) for day in days], np.int64)
        return Timeline(day_P, [self.as_of(day, scope, kinds) for day in days])

    def _days(self, since: dt.date, until: dt.date) -> list[dt.date]:
        """Return the days whose kinds rows of the days (since, until] read; none where the ranker reads no kinds."""
        step = self.job.config.ranker.association_days
        many = (until - since).days if self.job.config.ranker_kinds else 0
        return [since + dt.timedelta(days=number) for number in range(0, many, step)]

    def _found(self, kind: str, day: dt.date, scope: str) -> sp.csr_matrix:
        rows = self.rows.whole.before(day + _DAY)
        rows = rows if scope == ALL else rows.of_scenario(scope)
        if not len(rows) or (kind == TEXT and not self._has_texts()):
            return _none(self.rows.vocabulary.size("item_id"))
        view = View(self.job.config, scope, day, rows, vectors=self._vectors, attributes=self._attributes)
        return kind_of(kind, view, homes(rows), self.settings)

    def _has_texts(self) -> bool:
        """Whether texts can be compared; if not, it is said, and nothing goes with anything by its text."""
        reason: str | None = "no text is encoded, so the ranker sees no associations of the kind text"
        if self._vectors is not None and self.settings.text is not None:
            reason = too_many(len(self._vectors.items), self.settings.text.max_items)
        if reason is not None and reason not in self._told:
            self._told.add(reason)
            self.progress.tell("note", text=reason)
        return reason is None

    @cached_property
    def _vectors(self) -> Vectors | None:
        encode = self.job.config.encode
        if encode is None or self.settings.text is None or TEXT not in self.kinds:
            return None
        # As of a day that may be long past, so never those of an encoder that has seen events.
        return Vectors.read(self.job.lake, self.rows.vocabulary, encode.model, revision_of(self.job.lake))

    @cached_property
    def _attributes(self) -> Mapping[str, Words]:
        wanted = [name for name in self.settings.attributes if name in self.kinds]
        return {name: Words.read(self.job.lake, self.rows.vocabulary, [name]) for name in wanted}


def _none(size: int) -> sp.csr_matrix:
    nothing: NDArray[np.int32] = np.zeros(0, np.int32)
    return sp.csr_matrix((np.zeros(0, np.float32), (nothing, nothing)), shape=(size, size))
