"""The networks of a study of lists: each part and seed by one job of training, as a night fits them.

A job fits all that is asked for, by the configured launcher, once and on all that may be learned from: there
is no fit A before it. Its folder goes as soon as everything in it has been judged; a study that was killed takes up the
fits that it finds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from landbridge.config.crossing import without_defaults
from landbridge.config.days import Fit
from landbridge.config.schema import Config
from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.folder import fit_folder, is_of, load_fitted
from landbridge.contenders.staged import Staged
from landbridge.feed.interactions import Interactions
from landbridge.feed.kept import Kept
from landbridge.lake.lake import Lake
from landbridge.study.protocol import Entry
from landbridge.train.job import Job, Unit
from landbridge.train.launch import launch
from landbridge.train.lineage import recipe
from landbridge.train.progress import Follower
from landbridge.train.step import TABLES, save_assembler
from landbridge.train.units import network_cost, wanted_networks
from landbridge.train.vectors import save_vectors
from landbridge.train.watch import parent_here
from landbridge.transfer import STRATEGIES, TargetOnly, strategy_of

FIT: Fit = "B"
"""The fit of a night that knows all that a study may learn from: what lies before the judged days or parts."""

_SECONDS = "seconds.json"
_SECTIONS = ("transfer", "retriever", "ranker", "negatives", "features", "split")


@dataclass(frozen=True)
class Lesson:
    """What the networks of one part learn from.

    Attributes
    ----------
    name
        The folder's.
    until, ds
        The last day that is learned from, and the last whose rows are asked about.
    rows
        What may be learned from, to count it.
    kept
        Which rows of the tables that is; all up to `until` when left out.
    """

    name: str
    until: dt.date
    ds: dt.date
    rows: Interactions
    kept: Kept | None = None


@dataclass
class StudiedNetworks:
    """The networks that a study can fit, as its contenders: one of each strategy.

    Attributes
    ----------
    wanted
        The names that are still to be judged, by the name of a lesson and seed: a job fits them together.
    """

    config: Config
    lake: Lake
    say: Callable[[str], None] = print
    wanted: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    _seconds: dict[tuple[str, int], Mapping[str, float]] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """All strategies there are, whatever a night fits."""
        return list(STRATEGIES)

    def entries(self) -> list[Entry]:
        """Return them as a study lists them."""
        return [Entry(name, strategy_of(name).crosses, seeded=True, by_name=True) for name in self.names]

    def sections_of(self, name: str) -> list[object]:
        """Return what the configuration says of a network, for a trial's fingerprint; nothing of another contender."""
        if name not in self.names:
            return []
        tree = self.config.model_dump(mode="json", include={*_SECTIONS, "recommend"})
        tree["transfer"] = without_defaults(tree["transfer"]) | {"strategies": [name]}
        return [*(tree[section] for section in _SECTIONS), tree["recommend"]["pool"]]

    def contender(self, name: str, lesson: Lesson, seed: int) -> tuple[Contender, float]:
        """Return a contender whose fits have been made, and how many seconds they took."""
        key = (lesson.name, seed)
        if key not in self._seconds:
            self._seconds[key] = self._fitted(lesson, seed, self.wanted.setdefault(key, {name}) | {name})
        return StudiedNetwork(name, self._folder(*key), self.config), self._seconds[key].get(name, 0.0)

    def judged(self, name: str, lesson: str, seed: int) -> None:
        """Note that a contender has been judged; the last one takes the folder with it."""
        key = (lesson, seed)
        self.wanted.get(key, set()).discard(name)
        if not self.wanted.get(key):
            shutil.rmtree(self._folder(*key), ignore_errors=True)
            self._seconds.pop(key, None)

    def _folder(self, lesson: str, seed: int) -> Path:
        return self.config.folder / "study" / self.config.name / "networks" / f"{lesson}-{seed}"

    def _fitted(self, lesson: Lesson, seed: int, names: set[str]) -> Mapping[str, float]:
        """Fit what is not there yet, and return the seconds of each contender, over all scopes."""
        models, config = self._folder(lesson.name, seed), self._config(lesson, seed)
        models.mkdir(parents=True, exist_ok=True)
        fingerprint = self._fingerprint(config, lesson)
        save_assembler(config, self.lake, models, lesson.until, lesson.ds)
        save_vectors(config, self.lake, models, self.say)
        units = tuple(self._with_done(unit, models, fingerprint) for unit in _units(config, lesson.rows, names))
        versions = {name: self.lake.version(name) for name in TABLES}
        read = (models, versions, fingerprint, recipe(config), units, parent_here())
        job = Job("study", lesson.ds, config, *read, fits=(FIT,), kept=lesson.kept)
        earlier = Follower(job.progress, lambda line: None)  # of a run that was killed
        earlier.follow()
        seconds = _kept(models / _SECONDS, earlier)
        if any(job.opens(unit) for unit in units):
            log = config.folder / "logs" / f"study-{lesson.name}-{seed}.log"
            seconds = _kept(models / _SECONDS, launch(job, log, lambda line: self.say(f"    {line}")))
        return _by_contender(seconds)

    def _config(self, lesson: Lesson, seed: int) -> Config:
        """Return the configuration of the job: the fit B of its `ds` ends where the lesson does.

        Groups are those of a night's fits, and no window's: graph goes without them.
        """
        split = self.config.split
        if lesson.kept is None:
            split = split.model_copy(update={"test_days": (lesson.ds - lesson.until).days})
        return self.config.model_copy(update={"seed": seed, "split": split, "groups": None})

    def _fingerprint(self, config: Config, lesson: Lesson) -> str:
        rows = self.lake.digest("examples", until=lesson.ds)
        kept = None if lesson.kept is None else lesson.kept.identity
        return hashlib.sha256(json.dumps([recipe(config), rows, kept]).encode()).hexdigest()[:16]

    def _with_done(self, unit: Unit, models: Path, fingerprint: str) -> Unit:
        done = is_of(fit_folder(models, FIT, unit.scope, unit.contender), fingerprint)
        return Unit(unit.contender, unit.scope, True, unit.split, unit.cost, (FIT,) if done else ())


@dataclass(frozen=True)
class StudiedNetwork(Contender):
    """A strategy whose networks have been fitted: to fit it is to read them."""

    name: str
    models: Path
    config: Config

    @property
    def crosses(self) -> bool:  # type: ignore[override]
        """Whether it learned from other scenarios."""
        return strategy_of(self.name).crosses

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """Whether one fit serves all scenarios."""
        return strategy_of(self.name).pooled

    def left_out(self, view: View) -> str | None:
        """Return why not: what begins from the source has nothing to do in it."""
        if self._place(view).exists():
            return None
        return (
            f"{view.scope} has no networks of {self.name}: it is the source itself, has nothing to learn from, or no "
            "user in common with it where users are carried over"
        )

    def fit(self, view: View) -> Fitted:
        """Read the networks of a scope; their order is that of both stages."""
        return Staged(load_fitted(self._place(view)), self.config.recommend.pool)

    def _place(self, view: View) -> Path:
        return fit_folder(self.models, FIT, view.scope, self.name)


def _units(config: Config, rows: Interactions, names: set[str]) -> list[Unit]:
    """Return the source's networks, then those of all targets that are asked for, and what these begin from."""
    scenarios = rows.vocabulary.values("scenario").to_pylist()
    count = np.bincount(rows.scenario, minlength=len(scenarios) + 1)[1:]
    examples = {name: int(many) for name, many in sorted(zip(scenarios, count, strict=True)) if many}
    source = config.transfer.source
    asked = [strategy_of(name) for name in names]
    begun = {strategy.begins for strategy in asked}
    first = [(TargetOnly.name, source, examples[source], True)]
    roots = [strategy_of(strategy.begins or strategy.name) for strategy in asked]
    from_source = any(strategy.from_source for strategy in roots) or TargetOnly.name in names
    found = [*(first if from_source else []), *wanted_networks(config, examples, sorted(names))]
    return [
        Unit(contender, scope, True, split, network_cost(config, many))
        for contender, scope, many, split in found
        if (contender in names | begun or scope == source) and _bridged(contender, scope, rows, source)
    ]


def _bridged(contender: str, scope: str, rows: Interactions, source: str) -> bool:
    """Whether somebody is there to be carried over, where a strategy carries users over."""
    if not strategy_of(contender).shares_users:
        return True
    return len(np.intersect1d(rows.of_scenario(scope).user, rows.of_scenario(source).user)) > 0


def _kept(file: Path, follower: Follower) -> dict[str, float]:
    """Keep the seconds of the fits that a job told of beside those of earlier ones, by contender and scope."""
    seconds: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    told = {f"{event['contender']}/{event['scope']}": float(event["seconds"]) for event in follower.of("fit")}
    file.write_text(json.dumps(seconds | told), encoding="utf-8")
    return seconds | told


def _by_contender(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each contender's fits; those of what it begins from are in them."""
    own: dict[str, float] = {}
    for title, some in seconds.items():
        contender = title.partition("/")[0]
        own[contender] = own.get(contender, 0.0) + some
    begins = {name: strategy_of(name).begins for name in own}
    return {name: some + own.get(begins[name] or "", 0.0) for name, some in own.items()}
