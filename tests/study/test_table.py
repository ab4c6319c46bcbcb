"""The table by hand, and its p: right where nothing differs, small where something does."""

from __future__ import annotations

import csv
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from tests.points import config_of

from landbridge.study.plot import comparable, plot_table
from landbridge.study.protocol import ALL, Entry, Measured, Protocol, Scored, Trial
from landbridge.study.runner import chosen, run_trials, trials_of
from landbridge.study.screen import lines_of
from landbridge.study.store import Store
from landbridge.study.table import paired, table_of, write_table


class Means(Protocol):
    """A task whose contenders score each user by a list; the measure is the mean, its influence (x - mean) / n."""

    measure = "mean"
    parts = ("test",)

    def __init__(self, scores, seeded=()):
        self.config, self.scores, self.seeded, self.ran = config_of(), scores, seeded, []

    def entries(self):
        return [Entry(name, name != "a", name in self.seeded) for name in self.scores]

    def fingerprint(self, trial):
        return {"scores": str(self.scores[trial.contender])}

    def run(self, trial):
        self.ran.append(str(trial))
        values = np.array(self.scores[trial.contender], float) + 0.1 * trial.seed
        users = [f"u{n}" for n in range(len(values))]
        return Scored(pa.table({"user_id": users, "score": values}), 2.0, curve=((1.0, 10, 0.2), (3.0, 20, 0.9)))

    def measured(self, rows):
        values = rows["score"].to_numpy()
        ids = pa.array(rows["user_id"].to_pylist())
        return {ALL: Measured(values.mean(), ids, (values - values.mean()) / len(values), len(values))}


def table(protocol, folder, seeds=(0,)):
    entries, store = chosen(protocol, None), Store(folder)
    facts = run_trials(protocol, trials_of(protocol, entries, seeds), store, lambda line: None)
    return table_of(protocol, entries, facts, store)


def test_the_numbers_are_those_of_the_paired_t_test(tmp_path):
    one, other = [0.1, 0.5, 0.3, 0.9, 0.2], [0.3, 0.6, 0.2, 1.0, 0.8]
    control, row = table(Means({"a": one, "b": other}), tmp_path)
    expected = stats.ttest_rel(other, one)
    low, high = expected.confidence_interval()
    assert row.difference == pytest.approx(np.mean(other) - np.mean(one))
    assert row.p == pytest.approx(expected.pvalue)
    assert (row.difference_low, row.difference_high) == (pytest.approx(low), pytest.approx(high))
    assert (control.value, control.seconds, control.users) == (pytest.approx(0.4), 2.0, 5)
    assert math.isnan(control.p)
    assert math.isnan(control.std)


def test_seeds_give_mean_and_deviation_and_widen_the_difference(tmp_path):
    once = table(Means({"a": [0.1, 0.5, 0.3], "b": [0.4, 0.9, 0.5]}), tmp_path / "once")[1]
    row = table(Means({"a": [0.1, 0.5, 0.3], "b": [0.4, 0.9, 0.5]}, seeded=("b",)), tmp_path, seeds=(0, 1, 2))[1]
    assert row.seeds == 3
    assert row.value == pytest.approx(0.6 + 0.1)
    assert row.std == pytest.approx(0.1)
    assert row.difference_high - row.difference_low > once.difference_high - once.difference_low


def test_p_is_even_where_nothing_differs_and_tiny_where_something_does():
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        one, other = draw.normal(0, 1, (2, 40))
        one_U, other_U = (one - one.mean()) / 40, (other - other.mean()) / 40
        found.append(paired(one.mean()[None], one_U, other.mean()[None], other_U)[3])
    assert stats.kstest(found, "uniform").pvalue > 0.01
    one = draw.normal(0, 1, 40)
    other = one + 0.5 + draw.normal(0, 0.2, 40)
    assert paired(other.mean()[None], (other - other.mean()) / 40, one.mean()[None], (one - one.mean()) / 40)[3] < 1e-6


def test_p_is_even_where_only_seeds_differ():
    """Five seeds a side of the same network: what seeds do by chance is no difference."""
    draw = np.random.default_rng(1)
    nothing = np.zeros(200)
    found = [paired(draw.normal(0.7, 0.01, 5), nothing, draw.normal(0.7, 0.01, 5), nothing)[3] for _ in range(300)]
    assert 0.01 < np.mean(np.array(found) < 0.05) < 0.12


def test_the_seconds_to_the_controls_score_come_from_the_curve(tmp_path):
    protocol = Means({"a": [0.1, 0.5], "b": [0.4, 0.9]})
    protocol.run = lambda trial, run=protocol.run: Scored(
        run(trial).rows, 2.0, 0.5, ((1.0, 10, 0.2), (3.0, 20, 0.9)) if trial.contender == "b" else ()
    )
    control, row = table(protocol, tmp_path)
    assert (row.seconds_to_control, row.examples_to_control) == (3.0, 20.0)
    assert math.isnan(control.seconds_to_control)
    assert row.validation == 0.5


def test_the_file_the_screen_and_the_picture_say_the_same(tmp_path):
    rows = table(Means({"a": [0.1, 0.5, 0.3], "b": [0.4, 0.9, 0.6]}), tmp_path)
    with write_table(rows, tmp_path / "table.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [one["contender"] for one in read] == ["a", "b"]
    assert float(read[1]["difference"]) == pytest.approx(rows[1].difference, rel=1e-5)
    lines = "\n".join(lines_of(rows, "title"))
    assert f"{rows[1].difference:+.4f}" in lines
    assert "…" not in lines
    assert plot_table(rows, tmp_path / "table.png").stat().st_size > 1000


def test_what_was_judged_on_other_rows_is_not_compared(tmp_path):
    rows = table(Means({"a": [0.1, 0.5, 0.3], "b": [0.4, 0.9]}), tmp_path)
    assert math.isnan(rows[1].difference)
    assert [row.contender for row in comparable(rows, rows[0].scenario)] == ["a"]


def test_a_study_that_died_runs_what_is_missing_and_no_more(tmp_path):
    scores = {"a": [0.1, 0.5], "b": [0.4, 0.9], "c": [0.4, 0.1]}
    dying = Means(scores)
    run = dying.run
    dying.run = lambda trial: run(trial) if trial.contender != "c" else (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        table(dying, tmp_path)
    (tmp_path / "scores" / ".c.0.test.parquet.1.tmp").write_bytes(b"half a file")
    again = Means(scores)
    whole = table(again, tmp_path)
    assert again.ran == ["c, seed 0, test"]
    assert str(whole) == str(table(Means(scores), tmp_path / "fresh"))
    changed = Means({**scores, "b": [0.4, 0.8]})
    table(changed, tmp_path)
    assert changed.ran == ["b, seed 0, test"]


def test_only_what_is_seeded_is_run_with_every_seed():
    protocol = Means({"a": [1.0], "b": [1.0]}, seeded=("b",))
    assert trials_of(protocol, protocol.entries(), (3, 5)) == [
        Trial("a", 3, "test"),
        Trial("b", 3, "test"),
        Trial("b", 5, "test"),
    ]
