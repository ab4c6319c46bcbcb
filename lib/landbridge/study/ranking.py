"""The study of a ranking task over time: rolling windows, each judged by fits on all days before it.

A row is kept for each item that a known user took for the first time: its rank from 0 in the full catalogue of the
scenario, where what the user had before the window is excluded and does not count, ties by item id. An item that the
catalogue did not hold yet has the rank of the catalogue's size: no list can hold it, but it was taken.

Where ``study.chosen_on`` says on how many windows, the first ones, a configuration was chosen, a search is judged on
those alone, and the targets are measured on them, on the rest, and on all: only the rest knows nothing of the choice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.code import code_of
from landbridge.config.days import Window
from landbridge.config.schema import Config
from landbridge.contenders.base import ALL as EVERY_SCOPE
from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.folder import blocks
from landbridge.errors import ConfigError
from landbridge.evaluate.pointwise import slices
from landbridge.evaluate.table import TARGETS
from landbridge.evaluate.units import Units, units_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.feed.vectors import VectorsByKnowledge, tuned_note
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.words import Words, attributes_of, words_of
from landbridge.lake.lake import Lake
from landbridge.study.networks import Lesson
from landbridge.study.places import discounted, mean_of, places_of, value_of
from landbridge.study.protocol import ALL, Measured, Metric, Scored, Trial
from landbridge.study.rankings import Fits, Learned, Rankings, every_row

_DAY = dt.timedelta(days=1)
_RECALL = 20


@dataclass(frozen=True)
class Material:
    """What all contenders of a window share: the rows before it, and who is judged on what."""

    before: Interactions
    units: tuple[Units, ...]


@dataclass
class RankingStudy(Rankings):
    """A ranking task as a study sees it; the measure is NDCG at the guard's k, averaged over (window, user).

    Attributes
    ----------
    judge
        ``validation`` while hyper-parameters are searched: only the windows that may be chosen on.
    """

    config: Config
    lake: Lake
    interactions: Interactions
    measure: str = "ndcg@10"
    aim: str = TARGETS
    judge: Literal["validation", "test"] = "test"
    _material: dict[str, Material] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> Sequence[str]:
        """The windows, each by the last day of its training."""
        return self._windows if self.judge == "test" else self._windows[: self.config.study.chosen_on]

    @property
    def searched(self) -> Sequence[str]:
        """All windows that may be chosen on."""
        return self.parts

    @property
    def _windows(self) -> list[str]:
        return [day.isoformat() for day in self.config.study.windows]

    @property
    def scenarios(self) -> Sequence[str]:
        """All that have a row."""
        names = self.interactions.vocabulary.values("scenario").to_pylist()
        present = np.unique(self.interactions.scenario)
        return sorted(names[one - 1] for one in present if one > 0)

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return hashes of the rows up to the end of the window, of the contenders' configuration, and of the code."""
        tree, window = self.config.model_dump(mode="json"), self._window(trial.part)
        code = {
            name: value
            for module in (self.module_of(trial.contender), __name__)
            for name, value in code_of(module).items()
            if name.startswith((*self.rooms_of(trial.contender), "landbridge.study.ranking"))
        }
        sections = [
            tree["contenders"],
            tree["associations"],
            tree["features"],
            tree["evaluate"]["users"],
            tree["study"]["days"],
            tree["seed"],
            *self.networks.sections_of(trial.contender),
        ]
        return {
            "rows": self.lake.digest("examples", until=window.until),
            "configuration": _hash(sections),
            "code": _hash(code),
            **tuned_note(self.lake),
        }

    def searching(self, config: Config) -> RankingStudy:
        """Return the same task under another configuration, judged on the windows that may be chosen on.

        Raises
        ------
        ConfigError
            The configuration does not say which those are.
        """
        if config.study.chosen_on is None:
            needed = "a search over windows needs study.chosen_on: how many of them, the first, it is judged on"
            raise ConfigError(needed)
        same = (config.features, config.study) == (self.config.features, self.config.study)
        kept = self._material if same and self.judge == "validation" else {}
        return replace(self, config=config, judge="validation", _material=kept)

    def lesson(self, part: str) -> Lesson:
        """Return the days before a window."""
        window = self._window(part)
        return Lesson(part, window.since, window.until, self._prepared(part).before)

    def scored(self, contender: Contender, part: str, learned: Learned) -> Scored:
        """Fit a contender for every scenario, on the rows that may be learned from for it, and rank what was taken."""
        material = self._prepared(part)
        tables, left_out, seconds = [], [], 0.0
        fits = Fits(contender)
        for units in material.units:
            rows = learned(material.before, units.scenario)
            if rows is None:
                continue
            scope = EVERY_SCOPE if contender.pooled else units.scenario
            knows = units.window.since if contender.crosses and learned is every_row else None
            texts = (self._words, self._vectors.of(knows), None, self._attributes)
            view = View(self.config, scope, units.window.since, rows, *texts)
            reason = contender.left_out(view)
            if reason is not None:
                left_out.append(reason)
                continue
            begun = time.monotonic()
            tables.append(_ranked(fits.of(view), units, part, self.interactions))
            seconds += time.monotonic() - begun
        found = pa.concat_tables(tables) if tables else None
        return Scored(found, seconds, left_out=tuple(dict.fromkeys(left_out)))

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return NDCG by scenario, of all targets, and of all; a user weighs by his windows."""
        found = {}
        for scenario, some in [*self._groups(rows), *self._choices(rows)]:
            places = places_of(some)
            found[scenario] = mean_of(places, discounted(places, self.config.guard.k))
        return found

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return NDCG and recall of every scenario: of all windows, of each, and of the slices of users and items."""
        found = []
        for scenario, some in self._groups(rows):
            windows = [(name, some.filter(pc.equal(some["window"], name))) for name in self.parts]
            for name, part in [(ALL, some), *windows, *_slices(some)]:
                if part.num_rows:
                    found += [
                        Metric(scenario, name, metric, value, part.num_rows) for metric, value in self._values(part)
                    ]
        return found

    def _values(self, rows: pa.Table) -> Iterator[tuple[str, float]]:
        places = places_of(rows)
        yield self.measure, float(discounted(places, self.config.guard.k).mean())
        yield f"recall@{_RECALL}", float(value_of(places, "recall", _RECALL).mean())

    def _groups(self, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        yield ALL, rows
        targets = rows.filter(pc.not_equal(rows["scenario"], self.config.transfer.source))
        if targets.num_rows:
            yield TARGETS, targets
        for scenario in sorted(pc.unique(rows["scenario"]).to_pylist()):
            yield scenario, rows.filter(pc.equal(rows["scenario"], scenario))

    def _choices(self, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """Yield the targets' rows of the windows that were chosen on, and of the rest."""
        chosen_on, windows = self.config.study.chosen_on, self._windows
        if chosen_on is None or self.judge == "validation":
            return
        targets = rows.filter(pc.not_equal(rows["scenario"], self.config.transfer.source))
        for name, some in (("chosen on", windows[:chosen_on]), ("not chosen on", windows[chosen_on:])):
            part = targets.filter(pc.is_in(targets["window"], pa.array(some, pa.string())))
            if part.num_rows:
                yield f"{TARGETS}, windows {windows.index(some[0]) + 1}-{windows.index(some[-1]) + 1}, {name}", part

    @cached_property
    def _words(self) -> Words | None:
        return words_of(self.lake, self.interactions.vocabulary, self.config)

    @cached_property
    def _vectors(self) -> VectorsByKnowledge:
        return VectorsByKnowledge(self.lake, self.interactions.vocabulary, self.config)

    @cached_property
    def _attributes(self) -> Mapping[str, Words] | None:
        return attributes_of(self.lake, self.interactions.vocabulary, self.config)

    def _window(self, part: str) -> Window:
        since = dt.date.fromisoformat(part)
        index = self._windows.index(part)
        return Window("test", index, "B", since, since + dt.timedelta(days=self.config.study.days))

    def _prepared(self, part: str) -> Material:
        if part not in self._material:
            window = self._window(part)
            assembler = Assembler.fit(self.lake, self.config, window.since, window.until)
            scenarios = self.interactions.vocabulary.values("scenario").to_pylist()
            users = self.config.evaluate.users
            units = units_of(self.lake, self.interactions, assembler, window, scenarios, users)
            before = self.interactions.before(window.since + _DAY)
            if self.judge == "test":
                self._material.clear()  # windows come one after the other; a search comes back to them
            self._material[part] = Material(before, tuple(units))
        return self._material[part]


def open_ranking(config: Config, lake: Lake, ds: dt.date, say: Callable[[str], None]) -> RankingStudy:
    """Return the study of a ranking task on the tables up to `ds`.

    Raises
    ------
    ConfigError
        There are no windows, or one ends after `ds`.
    """
    windows, days = config.study.windows, dt.timedelta(days=config.study.days)
    if not windows:
        raise ConfigError(f"{config.name}: a study of a ranking task needs study.windows, the last days of training")
    if windows[-1] + days > ds:
        raise ConfigError(
            f"{config.name}: the window after {windows[-1]} ends on {windows[-1] + days}, after study.ds {ds}; "
            "set a later study.ds or fewer windows"
        )
    interactions = Interactions.read(lake, Vocabulary.load(lake), ds)
    say(f"{len(interactions)} events up to {ds}, {len(windows)} windows of {config.study.days} days")
    return RankingStudy(config, lake, interactions, measure=f"ndcg@{config.guard.k}")


def _slices(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of users with events elsewhere and of the others, of items with events here and of new ones."""
    shared_N = rows["user_shared"].to_numpy(zero_copy_only=False)
    known_N = (rows["rank"].to_numpy() < rows["catalogue"].to_numpy()).astype(np.bool_)
    for name, mask_N in slices(user_shared=shared_N, item_known=known_N):
        yield name, rows.filter(pa.array(mask_N))


def _ranked(fitted: Fitted, units: Units, part: str, interactions: Interactions) -> pa.Table:
    """Return the rows of a scenario in a window, by user and item."""
    tables = [_block(fitted, units, rows) for rows in blocks(len(units))]
    row_N, item_N, rank_N, score_N = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    names = interactions.vocabulary.values("item_id")
    count, where_BL = len(row_N), units.states.scenario_BL
    shared_B = ((where_BL > 0) & (where_BL != units.states.scenario)).any(axis=1)
    return pa.table(
        {
            "user_id": interactions.user_ids.take(pa.array(units.user_B[row_N])),
            "scenario": pa.repeat(pa.scalar(units.scenario), count),
            "window": pa.repeat(pa.scalar(part), count),
            "item_id": names.take(pa.array(item_N.astype(np.int64) - 1)).cast(pa.string()),
            "rank": pa.array(rank_N, pa.int32()),
            "catalogue": pa.repeat(pa.scalar(len(units.catalogue.items), pa.int32()), count),
            "score": pa.array(score_N, pa.float32(), from_pandas=True),
            "user_shared": pa.array(shared_B[row_N]),
        }
    )


def _block(fitted: Fitted, units: Units, rows: NDArray[np.intp]) -> tuple[NDArray[np.generic], ...]:
    """Return unit, item, rank and score of what the units at `rows` took; the score NaN outside the catalogue."""
    items, states = units.catalogue.items, units.states.take(rows)
    scores_BC = np.array(fitted.score(states, units.catalogue), np.float32)
    scores_BC[states.had[:, items].toarray() > 0] = -np.inf
    order_BC = np.argsort(-scores_BC, axis=1, kind="stable")
    rank_BC = np.empty_like(order_BC)
    np.put_along_axis(rank_BC, order_BC, np.arange(len(items))[None, :], axis=1)
    taken = units.truth[rows].tocoo()
    column = np.minimum(np.searchsorted(items, taken.col), len(items) - 1)
    inside = items[column] == taken.col
    rank_N = np.where(inside, rank_BC[taken.row, column], len(items))
    score_N = np.where(inside, scores_BC[taken.row, column], np.nan)
    return rows[taken.row], taken.col, rank_N, score_N


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
