"""The study of a ranking task with declared parts: next items, cold users, cold and known items, learning curves.

What is judged on the test is fitted on training and validation rows; a search, and the validation column of the table,
fit on training rows and judge the validation rows.
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

from landbridge.code import code_of
from landbridge.config.schema import Config
from landbridge.contenders.base import ALL, Contender, Fitted, View
from landbridge.errors import ConfigError
from landbridge.evaluate.cold_items import cold_items
from landbridge.evaluate.metrics import at
from landbridge.evaluate.part_units import PartUnits, cold_users, next_items, ranked, with_share
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.feed.kept import Kept
from landbridge.feed.vectors import Vectors, VectorsByKnowledge, tuned_note
from landbridge.feed.words import Words, attributes_of, words_of
from landbridge.lake.lake import Lake
from landbridge.study.networks import Lesson
from landbridge.study.places import mean_of, places_of, value_of
from landbridge.study.protocol import Measured, Scored, Trial
from landbridge.study.rankings import Fits, Learned, Rankings, every_row

COLD = "cold"
COLD_ITEMS = "cold items"
KNOWN_ITEMS = "known items"
_ENDINGS = {COLD: ", cold users", COLD_ITEMS: ", cold items", KNOWN_ITEMS: ", known items"}
_BEFORE = {"validation": ("train",), "test": ("train", "validation")}
_PARTS = ("train", "validation", "test")
_KNOWN = 2
"""The remainder of the items that are judged beside the cold ones, and learned of."""
Metric = Literal["ndcg", "recall", "hit_rate"]
_SECTIONS = ("features", "split", "contenders", "associations")
_READ = ("examples", "histories", "vocabulary", "statistics", "user_state")


@dataclass(frozen=True)
class Case:
    """Questions about one scenario, and the rows that may be learned from."""

    learn: Interactions
    units: PartUnits


@dataclass
class PartStudy(Rankings):
    """A ranking task with declared parts as a study sees it.

    Attributes
    ----------
    judge
        The part that is judged.
    """

    config: Config
    lake: Lake
    ds: dt.date
    judge: Literal["validation", "test"] = "test"
    _cases: dict[tuple[str, str], tuple[Case, ...]] = field(default_factory=dict, repr=False)

    @property
    def measure(self) -> str:  # type: ignore[override]
        """The guard's metric at its k."""
        return at(self.config.guard.metric, self.config.guard.k)

    @property
    def parts(self) -> Sequence[str]:
        """The judged part; cold users, cold items and the shares of the learning curve where they are asked for."""
        given = self.config.study
        cold = (COLD,) if given.cold else ()
        items = (COLD_ITEMS, KNOWN_ITEMS) if given.cold_items else ()
        return (self.judge, *cold, *items, *(f"{share:g}" for share in given.shares))

    @property
    def searched(self) -> Sequence[str]:
        """The part whose row of the table is aimed at."""
        aim = self.config.study.tune.aim or ALL
        return [part for part in self.parts[1:] if aim.endswith(self._ending(part))] or self.parts[:1]

    def _ending(self, part: str) -> str:
        """What the names of a part's rows end with, after the scenario."""
        return "" if part == self.judge else _ENDINGS.get(part, f", share {part}")

    @property
    def scenarios(self) -> Sequence[str]:
        """All that have a row of the judged part."""
        return self._scenarios(self.judge)

    def searching(self, config: Config) -> PartStudy:
        """Return the same task under another configuration, judged on validation rows."""
        same = (config.features, config.split, config.study) == (
            self.config.features,
            self.config.split,
            self.config.study,
        )
        return PartStudy(config, self.lake, self.ds, "validation", self._cases if same else {})

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return hashes of the tables, of the sections the scores depend on, and of the contender's code."""
        tree = self.config.model_dump(mode="json")
        study = {name: tree["study"][name] for name in ("cold", "cold_items", "shares", "validation")}
        code = {
            name: value
            for module in (self.module_of(trial.contender), __name__)
            for name, value in code_of(module).items()
            if name.split(".")[1:2] not in ([], ["config"], ["errors"], ["lake"], ["tracking"])
        }
        return {
            "rows": _hash([self.lake.digest(name, until=self.ds) for name in self._read_tables]),
            "configuration": _hash(
                [*(tree[name] for name in _SECTIONS), study, self.judge, *self.networks.sections_of(trial.contender)]
            ),
            "code": _hash(code),
            **tuned_note(self.lake),
        }

    def cases(self, part: str, judge: str) -> tuple[Case, ...]:
        """Return what a part is learned from and judged on; of several in memory only the last ones."""
        key = (part, judge)
        if key not in self._cases:
            for old in [one for one in self._cases if one[0] != part]:
                del self._cases[old]
            self._cases[key] = tuple(self._made(part, judge))
        return self._cases[key]

    def lesson(self, part: str) -> Lesson | str:
        """Return the rows of the parts before; of cold users without what they lost."""
        if part not in (*_BEFORE, COLD):
            return f"networks are not fitted where {part} is judged: it takes a fit of its own"
        case = self.cases(part, self.judge)[0]
        parts = _BEFORE[self.judge] if part in _BEFORE else _PARTS
        kept = Kept(parts) if part in _BEFORE else Kept(parts, case.units.scenario, case.units.lost)
        return Lesson(part, self.ds, self.ds, case.learn, kept)

    def run(self, trial: Trial) -> Scored:
        """Fit the contender for every case, once where it is pooled, and rank what was to be found."""
        if trial.contender not in self.contenders:
            return super().run(trial)
        contender, reached = self.contenders[trial.contender], float("nan")
        scored = self.scored(contender, trial.part, every_row)
        if self.judge == "test" == trial.part and self.config.study.validation:
            held = self._ranked(contender, "validation", "validation", every_row)[0]
            guard = self.config.guard
            reached = _measured(pa.concat_tables(held), guard.metric, guard.k).value if held else reached
        return replace(scored, validation=reached)

    def scored(self, contender: Contender, part: str, learned: Learned) -> Scored:
        """Fit a contender for every case, on what may be learned from for it, and rank what was to be found."""
        begun = time.monotonic()
        tables, left_out = self._ranked(contender, part, self.judge, learned)
        rows = pa.concat_tables(tables) if tables else None
        return Scored(rows, time.monotonic() - begun, left_out=tuple(left_out))

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return the measure by scenario, of all where it is of the judged part; the other parts by their own names."""
        found, guard = {}, self.config.guard
        scenario, window = (rows[name].to_numpy(zero_copy_only=False) for name in ("scenario", "window"))
        groups = [
            (name + self._ending(part), (window == part) & (scenario == name))
            for part in self.parts
            for name in np.unique(scenario[window == part])
        ]
        for name, mask in [(ALL, window == self.judge), *groups]:
            if mask.any():
                found[name] = _measured(rows.filter(pa.array(mask)), guard.metric, guard.k)
        return found

    def _ranked(
        self, contender: Contender, part: str, judge: str, learned: Learned
    ) -> tuple[list[pa.Table], list[str]]:
        tables, left_out = [], []
        fits = Fits(contender)
        for case in self.cases(part, judge):
            rows = learned(case.learn, case.units.scenario)
            if rows is None:
                continue
            scope = ALL if contender.pooled else case.units.scenario
            tuned = contender.crosses and learned is every_row
            texts = (self._words, self._vectors_of(part) if tuned else self._vectors.of(None), None, self._attributes)
            view = View(self.config, scope, self.ds, rows, *texts)
            sentence = contender.left_out(view)
            if sentence is not None:
                left_out.append(sentence)
                continue
            # One fit serves all cases that learn from the same rows.
            tables.append(self._rows(fits.of(view), case.units, part))
        return tables, list(dict.fromkeys(left_out))

    def _rows(self, fitted: Fitted, units: PartUnits, part: str) -> pa.Table:
        unit_T, item_T, rank_T, score_T = ranked(fitted, units)
        count = len(unit_T)
        return pa.table(
            {
                "user_id": units.states.user_ids.take(pa.array(unit_T)),
                "scenario": pa.repeat(pa.scalar(units.scenario), count),
                "window": pa.repeat(pa.scalar(part), count),
                "item_id": self._assembler.vocabulary.values("item_id").take(pa.array(item_T.astype(np.int64) - 1)),
                "rank": rank_T,
                "catalogue": pa.repeat(pa.scalar(len(units.catalogue.items), pa.int32()), count),
                "score": score_T,
            }
        )

    @cached_property
    def _assembler(self) -> Assembler:
        return Assembler.fit(self.lake, self.config, self.ds)

    @property
    def _read_tables(self) -> tuple[str, ...]:
        given, found = self.config.contenders, self.config.associations
        related = found if given.associations else None
        items = given.content or self.config.study.cold_items or (related and related.attributes)
        texts = given.text or (related and related.text)
        return (*_READ, *(["items"] if items else []), *(["item_vectors"] if texts else []))

    @cached_property
    def _words(self) -> Words | None:
        return words_of(self.lake, self._assembler.vocabulary, self.config)

    @cached_property
    def _vectors(self) -> VectorsByKnowledge:
        return VectorsByKnowledge(self.lake, self._assembler.vocabulary, self.config)

    def _vectors_of(self, part: str) -> Vectors | None:
        """Return what may be known where a part is judged: of users who lose a scenario or are left out, nothing."""
        if part in (COLD_ITEMS, KNOWN_ITEMS):
            return self._vectors.of(self.ds, self.config.study.cold_items)
        return self._vectors.of(self.ds if part in _BEFORE else None)

    @cached_property
    def _attributes(self) -> Mapping[str, Words] | None:
        return attributes_of(self.lake, self._assembler.vocabulary, self.config)

    @cached_property
    def _log(self) -> Interactions:
        """The rows of all parts."""
        return self._read(None)

    def _read(self, parts: Sequence[str] | None) -> Interactions:
        where = None if parts is None else pc.field("part").isin(parts)
        return Interactions.read(self.lake, self._assembler.vocabulary, self.ds, where)

    def _made(self, part: str, judge: str) -> Iterator[Case]:
        if part == COLD:
            given = self.config.study.cold
            assert given is not None
            # Other users are cold where hyper-parameters are searched.
            units, learn = cold_users(self.lake, self.ds, given, int(judge != "test"), self._assembler, self._log)
            yield Case(learn, units)
            return
        if part in (COLD_ITEMS, KNOWN_ITEMS):
            chosen = self.config.study.cold_items
            assert chosen is not None
            # So are other items, and those that are judged in the end are not learned of either.
            left = (0,) if judge == "test" else (1, 0)
            judged = left[0] if part == COLD_ITEMS else _KNOWN
            for learn, units in cold_items(self.lake, self.ds, chosen, judged, left, self._assembler, self._log):
                yield Case(learn, units)
            return
        before = self._read(_BEFORE[judge])
        for scenario in self._scenarios(judge):
            items = np.unique(self._log.of_scenario(scenario).item)
            units = next_items(self.lake, self.ds, judge, scenario, self._assembler, before, items[items > 0])
            learn = before if part in _BEFORE else with_share(before, scenario, float(part))
            yield Case(learn, units)

    def _scenarios(self, judge: str) -> list[str]:
        found = self.lake.read("examples", until=self.ds, columns=["scenario"], where=pc.field("part") == judge)
        if not found.num_rows:
            raise ConfigError(f"split.part calls no row {judge!r}: a study of a ranking task needs that part")
        return sorted(pc.unique(found["scenario"]).to_pylist())


def open_parts(config: Config, lake: Lake, ds: dt.date, say: Callable[[str], None]) -> PartStudy:
    """Return the study of a ranking task with declared parts, with the tables as they are now."""
    pinned = lake.pinned(**{name: lake.version(name) for name in _READ})
    say(f"next items of the part test, tables up to {ds}, version {lake.version('examples')} of the examples")
    return PartStudy(config, pinned, ds)


def _measured(rows: pa.Table, metric: Metric, k: int) -> Measured:
    """Return the mean of one part's rows over units; of cold items each question is one, however many a user has."""
    alone = pc.all(pc.is_in(rows["window"], pa.array([COLD_ITEMS, KNOWN_ITEMS]))).as_py()
    places = places_of(rows, ("scenario", "window", "item_id") if alone else ("scenario", "window"))
    return mean_of(places, value_of(places, metric, k))


def _hash(tree: object) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()[:16]
