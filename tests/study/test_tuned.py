"""Vectors of a tuned encoder never reach a fit that may know less than the encoder has seen."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from tests.lakes import SMALL, SOURCE, last_day, tiny_config, tiny_lake
from tests.texts import encoded, told
from tests.train.nights import DAYS, night_on

from landbridge.config.science import Text as Settings
from landbridge.config.study import ColdItems
from landbridge.contenders.text import Text
from landbridge.feed.assemble import Assembler
from landbridge.feed.tuned import Tuned
from landbridge.feed.vocabulary import Vocabulary
from landbridge.study.parts import COLD, COLD_ITEMS, PartStudy
from landbridge.study.ranking import open_ranking
from landbridge.study.rankings import beside, every_row
from landbridge.study.runner import trials_of
from landbridge.train import simple
from landbridge.train.bench import Bench
from landbridge.train.job import Job, Unit
from landbridge.train.progress import Progress
from landbridge.train.step import save_assembler
from landbridge.train.watch import Watch

BEFORE, AFTER = dt.date(2010, 12, 15), dt.date(2010, 12, 22)
SEEN = dt.date(2010, 12, 20)
"""The last day of the events on which the encoder was tuned."""
WIDTH = 8
COLD_OF = ColdItems(one_in=10)
ON = ("encode={text: title}", "contenders.text={}")


class Reads(Text):
    """The contender `text` that remembers which vectors it was given."""

    def fit(self, view):
        SAW.append((view.until, bool((view.vectors.vector_MD > 0).all())))
        return super().fit(view)


SAW: list[tuple[dt.date, bool]] = []


@pytest.fixture(autouse=True)
def _forgotten():
    SAW.clear()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Vectors of the encoder as it came are below zero, those of the tuned one above."""
    windows = f"study={{windows: [{BEFORE}, {AFTER}], days: 6, chosen_on: 1}}"
    hidden = f"study.cold={{scenario: {SMALL}}}", "study.cold_items={one_in: 10}"
    config = tiny_config(tmp_path_factory.mktemp("tuned"), *ON, windows, *hidden)
    lake = tiny_lake(config.folder, config)
    names = Vocabulary.load(lake).values("item_id").to_pylist()
    draw = np.random.default_rng(0).uniform(0.1, 1.0, (len(names), WIDTH)).astype(np.float32)
    encoded(lake, dict(zip(names, draw, strict=True)), "tuned")
    encoded(lake, dict(zip(names, -draw, strict=True)), "base")
    told(lake, "base", Tuned("tuned", SEEN, "item_id/10").note)
    return lake


def tuned_read(study, contender, window, learned=every_row):
    SAW.clear()
    study.scored(contender, window, learned)
    assert SAW
    return {tuned for _, tuned in SAW}


def test_a_window_that_begins_before_the_encoder_stopped_learning_reads_it_as_it_came(lake):
    study = open_ranking(lake.config, lake, last_day(lake.config, 30), lambda line: None)
    across, alone = Reads(Settings(), crosses=True), Reads(Settings())
    assert tuned_read(study, across, BEFORE.isoformat()) == {False}
    assert tuned_read(study, across, AFTER.isoformat()) == {True}
    assert tuned_read(study, alone, AFTER.isoformat()) == {False}  # it would know of the other scenarios' users
    assert tuned_read(study, across, AFTER.isoformat(), beside(SOURCE)) == {False}


def test_of_declared_parts_those_whose_users_or_items_are_hidden_read_it_as_it_came(lake):
    study = PartStudy(lake.config, lake, last_day(lake.config, 30))

    def tuned(part):
        return bool((study._vectors_of(part).vector_MD > 0).all())

    assert [tuned(part) for part in ("validation", "test", COLD_ITEMS)] == [True] * 3
    assert [tuned(part) for part in (COLD, "0.1")] == [False] * 2


@pytest.mark.parametrize("other", [ColdItems(one_in=11), ColdItems(by="title", one_in=10)])
def test_cold_items_that_the_encoder_has_seen_read_it_as_it_came(other):
    tuned = Tuned("tuned", SEEN, "item_id/10")
    assert tuned.is_known_by(SEEN, COLD_OF)
    assert not tuned.is_known_by(SEEN, other)
    assert not Tuned("tuned", SEEN).is_known_by(SEEN, COLD_OF)
    assert not tuned.is_known_by(SEEN - dt.timedelta(days=1), COLD_OF)


def test_the_cached_scores_of_a_study_are_those_of_its_vectors(lake):
    study = open_ranking(lake.config, lake, last_day(lake.config, 30), lambda line: None)
    entry = next(entry for entry in study.entries() if entry.name == "text_across")
    trial = trials_of(study, [entry], [0])[0]
    with_tuned = study.fingerprint(trial)
    told(lake, "base")
    try:
        assert study.fingerprint(trial).items() < with_tuned.items()
    finally:
        told(lake, "base", Tuned("tuned", SEEN, "item_id/10").note)


@pytest.mark.parametrize("seen", [0, 1, 7])
def test_a_nights_fits_read_it_from_the_fit_on_that_knows_what_it_has_seen(lake, seen, monkeypatch):
    """Days after the last that fit A knows: with one B and C know it, with seven (six of validation) C alone."""
    night = night_on(lake.config, last_day(lake.config, DAYS), again=True)
    days = night.ds - dt.timedelta(days=10)
    told(lake, "base", Tuned("tuned", days + dt.timedelta(days=seen)).note)
    monkeypatch.setattr(simple, "contender_of", lambda config, name: Reads(Settings(), crosses=True))
    try:
        save_assembler(night.config, night.lake, night.models, days, night.ds)
        _fit_here(night)
    finally:
        told(lake, "base", Tuned("tuned", SEEN, "item_id/10").note)
    wanted = {0: [True, True, True], 1: [False, True, True], 7: [False, False, True]}[seen]
    assert [tuned for _, tuned in SAW] == wanted


def _fit_here(night):
    """Fit one contender in this process as a rank does."""
    versions = {name: night.lake.version(name) for name in ("examples", "histories", "vocabulary", "statistics")}
    unit = Unit("text_across", "*", network=False, split=False, cost=1.0)
    job = Job("finetune", night.ds, night.config, night.models, versions, "one", "one", (unit,))
    bench = Bench(job, Assembler.load(night.models / "assembler"), Watch(math.inf, {}), Progress(job.progress, 0), None)
    simple.Simple(bench).run(unit)
