"""What a study publishes: the rule's choice, on rows that it is not judged on."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.points import config_of, table_of

from landbridge.config import Config
from landbridge.errors import ConfigError
from landbridge.study.examples import Examples
from landbridge.study.pointwise import PointStudy
from landbridge.study.protocol import ALL, Entry, Measured, Protocol, Scored
from landbridge.study.published import with_published
from landbridge.study.runner import run_trials, trials_of
from landbridge.study.store import Store
from landbridge.study.table import table_of as results_of

FOLDS = ("0", "1", "2", "3")
GAIN = {"gains": 0.1, "loses": -0.1, "neither": 0.0, "big": 0.0}


@dataclass
class Known(Protocol):
    """Users with a number each; `across` has its scenario's gain more than `alone`, and noise. Mean, by scenario."""

    config: Config
    rows: pa.Table
    measure: str = "mean"
    ran: list[str] = field(default_factory=list)

    @property
    def parts(self):
        return sorted(pc.unique(self.rows["fold"]).to_pylist())

    def entries(self):
        return [Entry("alone", False, False), Entry("across", True, False)]

    def fingerprint(self, trial):
        return {"rows": str(pc.sum(self.rows[trial.contender]).as_py())}

    def run(self, trial):
        self.ran.append(str(trial))
        own = self.rows.filter(pc.equal(self.rows["fold"], trial.part))
        return Scored(own.select(["user_id", "scenario"]).append_column("score", own[trial.contender]), 1.0)

    def measured(self, rows):
        found = {}
        for scenario in pc.unique(rows["scenario"]).to_pylist():
            own = rows.filter(pc.equal(rows["scenario"], scenario)).sort_by("user_id")
            values = own["score"].to_numpy()
            ids = own["user_id"].combine_chunks()
            found[scenario] = Measured(values.mean(), ids, (values - values.mean()) / len(values), len(values))
        return found

    def choosing(self, part):
        return replace(self, rows=self.rows.filter(pc.not_equal(self.rows["fold"], part)))


def known(users=800, seed=0):
    draw = np.random.default_rng(seed)
    scenario = np.repeat(list(GAIN), users)
    alone = draw.normal(0.5, 0.3, len(scenario))
    across = alone + np.array([GAIN[name] for name in scenario]) + draw.normal(0, 0.3, len(scenario))
    ids = [f"u{n:05d}" for n in range(len(scenario))]
    folds = draw.integers(0, 4, len(scenario)).astype(str)
    table = pa.table({"user_id": ids, "scenario": scenario, "fold": folds, "alone": alone, "across": across})
    return Known(config_of("transfer.source=big", "study.published=[alone, across]"), table)


def published(protocol, folder):
    store, lines = Store(folder), []
    facts = run_trials(protocol, trials_of(protocol, protocol.entries(), [0]), store, lambda line: None)
    entries, facts = with_published(protocol, protocol.entries(), facts, 0, store, lines.append)
    with (folder / "published.csv").open() as file:
        choices = {(row["part"], row["scenario"]): row["published"] for row in csv.DictReader(file)}
    return entries, facts, store, choices, lines


def test_what_gains_crosses_and_what_loses_does_not(tmp_path):
    entries, facts, store, choices, lines = published(known(), tmp_path)
    for part in (*FOLDS, ALL):
        assert choices[part, "gains"] == "across"
        assert choices[part, "loses"] == "alone"
        assert choices[part, "big"] == "alone"
    assert any("gains publishes across: gain +0.1" in line and "across 4x" in line for line in lines)
    table = {(row.scenario, row.contender): row for row in results_of(known(), entries, facts, store)}
    for scenario, contender in (("gains", "across"), ("loses", "alone")):
        assert table[scenario, "published"].value == pytest.approx(table[scenario, contender].value)
        assert table[scenario, "published"].rows == table[scenario, contender].rows
    rows = store.rows("published", 0, FOLDS)
    assert set(rows.filter(pc.equal(rows["scenario"], "gains"))["chosen"].to_pylist()) == {"across"}


def test_the_rows_of_a_part_do_not_choose_what_it_publishes(tmp_path):
    """What crosses is made perfect in one fold and loses everywhere else: it is not chosen there."""
    protocol = known()
    lucky = pc.and_(pc.equal(protocol.rows["fold"], "2"), pc.equal(protocol.rows["scenario"], "loses"))
    place = protocol.rows.column_names.index("across")
    changed = protocol.rows.set_column(place, "across", pc.if_else(lucky, 9.0, protocol.rows["across"]))
    _, _, _, choices, _ = published(replace(protocol, rows=changed), tmp_path)
    assert choices["2", "loses"] == "alone"
    assert choices["1", "loses"] == "across"


def test_what_was_chosen_before_is_not_chosen_again(tmp_path):
    published(known(), tmp_path)
    again = known()
    before = (tmp_path / "published.csv").stat().st_mtime_ns
    published(again, tmp_path)
    assert again.ran == []
    assert (tmp_path / "published.csv").stat().st_mtime_ns == before
    published(known(seed=1), tmp_path)
    assert (tmp_path / "published.csv").stat().st_mtime_ns > before


def test_without_anything_that_competes_there_is_no_such_row(tmp_path):
    protocol = known()
    protocol.config = config_of("study.published=[alone]")
    assert with_published(protocol, protocol.entries(), {}, 0, Store(tmp_path), print)[0] == protocol.entries()


def test_what_decides_on_a_fold_has_never_seen_it():
    study = PointStudy(config_of(), Examples.of(table_of(300, folds=4), "rows"))
    inner = study.choosing("1")
    assert list(inner.parts) == ["0", "2", "3"]
    for part in inner.parts:
        material = inner.material(part, holds_out=False)
        assert "1" not in {*material.rows.part_N, *material.test.part_N}
        assert part not in material.rows.part_N
    with pytest.raises(ConfigError, match="needs three folds"):
        PointStudy(config_of(), Examples.of(table_of(300, folds=2), "rows")).choosing("1")
