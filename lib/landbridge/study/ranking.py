"""The study of a ranking task over time: rolling windows, each judged by fits on all days before it.

A row is kept for each item that a known user took for the first time: its rank from 0 in the full catalogue of the
scenario, where what the user had before the window is excluded and does not count, ties by item id. An item that the
catalogue did not hold yet has the rank of the catalogue's size: no list can hold it, but it was taken.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError
from landbridge.evaluate.table import TARGETS
from landbridge.evaluate.units import Units, units_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake
from landbridge.study.places import discounted, places_of
from landbridge.study.protocol import ALL, Entry, Measured, Metric, Protocol, Scored, Trial

_DAY = dt.timedelta(days=1)
_RECALL = 20


@dataclass(frozen=True)
class Material:
    """What all contenders of a window share: the rows before it, and who is judged on what."""

    before: Interactions
    units: tuple[Units, ...]


@dataclass
class RankingStudy(Protocol):
    """A ranking task as a study sees it; the measure is NDCG at the guard's k, averaged over (window, user)."""

    config: Config
    lake: Lake
    interactions: Interactions
    measure: str = "ndcg@10"
    _material: dict[str, Material] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> Sequence[str]:
        """The windows, each by the last day of its training."""
        return [day.isoformat() for day in self.config.study.windows]

    @cached_property
    def contenders(self) -> dict[str, Contender]:
        """All contenders there are, by name."""
        return {one.name: one for one in all_simple(self.config)}

    def entries(self) -> Sequence[Entry]:
        """All contenders there are; closed forms, that no seed changes."""
        return [Entry(one.name, one.crosses, False) for one in self.contenders.values()]

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return hashes of the rows up to the end of the window, of the contenders' configuration, and of the code."""
        tree, window = self.config.model_dump(mode="json"), self._window(trial.part)
        code = {
            name: value
            for module in (type(self.contenders[trial.contender]).__module__, __name__)
            for name, value in code_of(module).items()
            if name.startswith(("landbridge.contenders", "landbridge.feed", "landbridge.study.ranking"))
        }
        sections = [
            tree["contenders"],
            tree["features"],
            tree["evaluate"]["users"],
            tree["study"]["days"],
            tree["seed"],
        ]
        return {
            "rows": self.lake.digest("examples", until=window.until),
            "configuration": _hash(sections),
            "code": _hash(code),
        }

    def run(self, trial: Trial) -> Scored:
        """Fit the contender on the days before the window and rank what was taken in it."""
        contender, material = self.contenders[trial.contender], self._prepared(trial.part)
        tables, left_out, seconds = [], [], 0.0
        fits: dict[str, Fitted] = {}
        for units in material.units:
            scope = EVERY_SCOPE if contender.pooled else units.scenario
            view = View(self.config, scope, units.window.since, material.before)
            reason = contender.left_out(view)
            if reason is not None:
                left_out.append(reason)
                continue
            begun = time.monotonic()
            if scope not in fits:
                fits = {scope: contender.fit(view)}
            tables.append(_ranked(fits[scope], units, trial.part, self.interactions))
            seconds += time.monotonic() - begun
        rows = pa.concat_tables(tables) if tables else None
        return Scored(rows, seconds, left_out=tuple(dict.fromkeys(left_out)))

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return NDCG by scenario, of all targets, and of all; a user weighs by his windows."""
        return {
            scenario: _mean(some, lambda places: discounted(places, self.config.guard.k))
            for scenario, some in self._groups(rows)
        }

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return NDCG and recall of every scenario, of all windows and of each."""
        found = []
        for scenario, some in self._groups(rows):
            for name in (ALL, *self.parts):
                part = some if name == ALL else some.filter(pc.equal(some["window"], name))
                if part.num_rows:
                    found += [
                        Metric(scenario, name, metric, value, part.num_rows) for metric, value in self._values(part)
                    ]
        return found

    def _values(self, rows: pa.Table) -> Iterator[tuple[str, float]]:
        places = places_of(rows)
        yield self.measure, float(discounted(places, self.config.guard.k).mean())
        hits = np.bincount(places.unit_N, places.rank_N < _RECALL, len(places.user_B))
        yield f"recall@{_RECALL}", float((hits / places.taken_B).mean())

    def _groups(self, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        yield ALL, rows
        targets = rows.filter(pc.not_equal(rows["scenario"], self.config.transfer.source))
        if targets.num_rows:
            yield TARGETS, targets
        for scenario in sorted(pc.unique(rows["scenario"]).to_pylist()):
            yield scenario, rows.filter(pc.equal(rows["scenario"], scenario))

    def _window(self, part: str) -> Window:
        since = dt.date.fromisoformat(part)
        index = list(self.parts).index(part)
        return Window("test", index, "B", since, since + dt.timedelta(days=self.config.study.days))

    def _prepared(self, part: str) -> Material:
        if part not in self._material:
            window = self._window(part)
            assembler = Assembler.fit(self.lake, self.config, window.since, window.until)
            scenarios = self.interactions.vocabulary.values("scenario").to_pylist()
            users = self.config.evaluate.users
            units = units_of(self.lake, self.interactions, assembler, window, scenarios, users)
            before = self.interactions.before(window.since + _DAY)
            self._material = {part: Material(before, tuple(units))}  # windows come one after the other
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


def _mean(rows: pa.Table, value_of: Callable[..., NDArray[np.float64]]) -> Measured:
    """Return the mean over units, and what each user does to it: his share of the deviation."""
    places = places_of(rows)
    value_B = value_of(places)
    mean = float(value_B.mean())
    influence_U = np.bincount(places.user_B, value_B - mean, len(places.user_ids)) / len(value_B)
    return Measured(mean, places.user_ids, influence_U, len(value_B))


def _ranked(fitted: Fitted, units: Units, part: str, interactions: Interactions) -> pa.Table:
    """Return the rows of a scenario in a window, by user and item."""
    tables = [_block(fitted, units, rows) for rows in blocks(len(units))]
    row_N, item_N, rank_N, score_N = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    names = interactions.vocabulary.values("item_id")
    count = len(row_N)
    return pa.table(
        {
            "user_id": interactions.user_ids.take(pa.array(units.user_B[row_N])),
            "scenario": pa.repeat(pa.scalar(units.scenario), count),
            "window": pa.repeat(pa.scalar(part), count),
            "item_id": names.take(pa.array(item_N.astype(np.int64) - 1)).cast(pa.string()),
            "rank": pa.array(rank_N, pa.int32()),
            "catalogue": pa.repeat(pa.scalar(len(units.catalogue.items), pa.int32()), count),
            "score": pa.array(score_N, pa.float32(), from_pandas=True),
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
