"""What the studies of ranking tasks share: what a contender may learn from for each target, and its fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.simple import all_simple
from landbridge.feed.interactions import Interactions
from landbridge.lake.lake import Lake
from landbridge.study.networks import Lesson, StudiedNetworks
from landbridge.study.protocol import Entry, Protocol, Scored, Trial
from landbridge.train.job import Job

WORKER = Job.worker
_NETWORKS = ("landbridge.models", "landbridge.transfer", "landbridge.train", "landbridge.study.networks")
Learned = Callable[[Interactions, str], Interactions | None]
"""Rows and a target to those of them that may be learned from for it; None where it is not judged at all."""


class Rankings(Protocol):
    """A ranking task as a study sees it: its contenders, each fitted on what may be learned from for a target."""

    lake: Lake

    @cached_property
    def contenders(self) -> dict[str, Contender]:
        """All simple contenders there are, by name."""
        return {one.name: one for one in all_simple(self.config)}

    @cached_property
    def networks(self) -> StudiedNetworks:
        """The networks there are."""
        return StudiedNetworks(self.config, self.lake)

    def entries(self) -> Sequence[Entry]:
        """All contenders there are: closed forms, which no seed changes, and networks."""
        simple = [Entry(one.name, one.crosses, seeded=False) for one in self.contenders.values()]
        return [*simple, *self.networks.entries()]

    def module_of(self, contender: str) -> str:
        """Return the module whose code makes a contender's scores."""
        return type(self.contenders[contender]).__module__ if contender in self.contenders else WORKER

    def rooms_of(self, contender: str) -> tuple[str, ...]:
        """Return the packages whose code can change a contender's scores."""
        simple = ("landbridge.contenders", "landbridge.feed")
        return simple if contender in self.contenders else (*simple, *_NETWORKS)

    def expect(self, trials: Sequence[Trial], say: Callable[[str], None]) -> None:
        """Note which networks are fitted together: those of one part and seed."""
        self.networks.say = say
        for trial in trials:
            if trial.contender in self.networks.names:
                self.networks.wanted.setdefault((trial.part, trial.seed), set()).add(trial.contender)

    @property
    @abstractmethod
    def scenarios(self) -> Sequence[str]:
        """All scenarios there are: each may be a source."""

    @abstractmethod
    def scored(self, contender: Contender, part: str, learned: Learned) -> Scored:
        """Fit a contender for every target, on the rows that may be learned from for it, and rank what was taken."""

    def run(self, trial: Trial) -> Scored:
        """Fit on all scenarios' rows, and rank."""
        if trial.contender in self.contenders:
            return self.scored(self.contenders[trial.contender], trial.part, every_row)
        return self._network_scored(trial)

    @abstractmethod
    def lesson(self, part: str) -> Lesson | str:
        """Return what networks learn from where a part is judged, or why they are not fitted for it."""

    def _network_scored(self, trial: Trial) -> Scored:
        lesson = self.lesson(trial.part)
        if isinstance(lesson, str):
            return Scored(None, 0.0, left_out=(lesson,))
        contender, seconds = self.networks.contender(trial.contender, lesson, trial.seed)
        found = self.scored(contender, trial.part, every_row)
        self.networks.judged(trial.contender, lesson.name, trial.seed)
        return replace(found, seconds=found.seconds + seconds)

    def matrix(self, contender: str) -> Protocol:
        """Return the protocol of sources and targets."""
        from landbridge.study.sources import RankingSources

        return RankingSources.of(self, contender)


def every_row(rows: Interactions, target: str) -> Interactions:
    """Return all rows: every scenario may teach every other."""
    return rows


def beside(source: str | None) -> Learned:
    """Return what leaves a target its own rows and those of one source, or its own alone; a source is no target."""
    kept: dict[tuple[int, str], tuple[Interactions, Interactions]] = {}

    def learned(rows: Interactions, target: str) -> Interactions | None:
        if target == source:
            return None
        key = (id(rows), target)
        if key not in kept:
            # The whole stands beside the part, so that its id stays its own.
            kept[key] = (rows, rows.of_scenarios([target] if source is None else [source, target]))
        return kept[key][1]

    return learned


@dataclass
class Fits:
    """The fits of a contender, each made once where views of the same rows and scope come one after the other."""

    contender: Contender
    _last: tuple[View, Fitted] | None = field(default=None, repr=False)

    def of(self, view: View) -> Fitted:
        """Return the fit of a view, the last one again if it is of the same rows and scope."""
        if self._last is None or not _same(self._last[0], view):
            self._last = None  # what is not needed any more does not lie beside the new one
            self._last = (view, self.contender.fit(view))
        return self._last[1]


def _same(one: View, other: View) -> bool:
    return one.interactions is other.interactions and one.scope == other.scope
