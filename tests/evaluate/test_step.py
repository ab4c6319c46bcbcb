"""The step on a small night: what it writes, what it decides, and that it says why."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tests.lakes import SCENARIOS, SMALL, SOURCE, TINY, last_day, tiny_config, tiny_lake
from tests.nights import fit_simple, night_of

from landbridge.contenders.base import ALL
from landbridge.contenders.bundle import read_routes
from landbridge.contenders.folder import load_fitted, scope_folder, top_k
from landbridge.errors import TrainError
from landbridge.evaluate.metrics import RANKING
from landbridge.evaluate.step import EVALUATE, fitted_scenarios, judge_all, trials_of
from landbridge.evaluate.table import ALL_WINDOWS, TARGETS, arrow_rows, rows_of
from landbridge.lake.spark import SparkLake

DAYS = 60
NAMES = {
    f"{name}{tail}"
    for name in ("popularity", "popularity_recent", "item_item", "ease", "trend", "blend")
    for tail in ("", "_across")
}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A lake of two hundred users with all three fits."""
    root = tmp_path_factory.mktemp("evaluate")
    config = tiny_config(root, "split.validation_days=20", "split.test_days=10", "contenders.ease.regularization=20")
    ds = last_day(config, DAYS)
    lake = tiny_lake(root, config, users=200, days=DAYS)
    made = night_of(config, lake, ds, [])
    fit_simple(config, lake, ds, made.models)
    return made


@pytest.fixture(scope="module")
def judged(night):
    return judge_all(night, fitted_scenarios(night.models))


@pytest.fixture(scope="module")
def rows(night, judged):
    return rows_of(judged, night.config)


@pytest.fixture(scope="module")
def outcome(night, spark):
    """The step, run; the catalogue is a Spark expression."""
    return EVALUATE.run(dataclasses.replace(night, spark_lake=lambda: SparkLake(spark, night.lake)))


def test_every_contender_is_judged_on_every_window(judged):
    found = {(one.scenario, one.contender, one.split, one.window) for one in judged}
    assert found == {
        (scenario, name, *window)
        for scenario in SCENARIOS
        for name in NAMES
        for window in (("validation", 0), ("validation", 1), ("test", 0))
    }


def test_contenders_of_a_window_are_judged_on_the_same_units(judged):
    for one in judged:
        same = [
            other
            for other in judged
            if (other.scenario, other.split, other.window) == (one.scenario, one.split, one.window)
        ]
        assert all(np.array_equal(one.user_B, other.user_B) for other in same)


def test_validation_is_judged_by_fit_a_and_test_by_fit_b(night, judged, tmp_path):
    """Other folders for B change the test rows and leave validation; so do others for A the other way."""
    copy = dataclasses.replace(night, models=tmp_path / "models")
    shutil.copytree(night.models, copy.models)
    for scope in SCENARIOS:
        shutil.rmtree(copy.models / "fits" / "B" / scope_folder(scope) / "ease")
        shutil.copytree(
            copy.models / "fits" / "C" / scope_folder(scope) / "ease",
            copy.models / "fits" / "B" / scope_folder(scope) / "ease",
        )
    changed = judge_all(copy, fitted_scenarios(copy.models))
    for one, other in zip(judged, changed, strict=True):
        same = np.array_equal(one.ranking_BM, other.ranking_BM)
        assert same or (one.split == "test" and one.contender == "ease")
    assert not all(np.array_equal(one.ranking_BM, other.ranking_BM) for one, other in zip(judged, changed, strict=True))


def test_all_windows_are_the_mean_over_units_and_targets_the_mean_over_targets(night, judged, rows):
    values = {(row.scenario, row.contender, row.split, row.window, row.metric, row.k): row.value for row in rows}
    own = {
        scenario: np.concatenate(
            [
                one.ranking_BM[:, 0]
                for one in judged
                if (one.scenario, one.contender, one.split) == (scenario, "ease", "validation")
            ]
        )
        for scenario in SCENARIOS
    }
    assert values[SMALL, "ease", "validation", ALL_WINDOWS, "ndcg", 10] == pytest.approx(own[SMALL].mean())
    pooled = np.concatenate([own[SMALL], own[TINY]])
    assert values[TARGETS, "ease", "validation", ALL_WINDOWS, "ndcg", 10] == pytest.approx(pooled.mean())
    assert values[SOURCE, "ease", "test", 0, "auc", 0] == values[SOURCE, "ease", "test", ALL_WINDOWS, "auc", 0]


def test_the_lists_of_a_window_are_described(night, judged, rows):
    def value(contender, metric):
        wanted = (SOURCE, contender, "test", 0, metric, night.config.guard.k)
        found = [
            row.value
            for row in rows
            if (row.scenario, row.contender, row.split, row.window, row.metric, row.k) == wanted
        ]
        assert len(found) == 1
        return found[0]

    one = next(one for one in judged if (one.scenario, one.contender, one.split) == (SOURCE, "popularity", "test"))
    assert value("popularity", "novelty") == pytest.approx(one.list_BN[:, 0].mean())
    assert 0 < value("popularity", "diversity") < 1
    # Popularity shows everybody about the same; a neighbour method shows more, and what is rarer.
    assert value("popularity", "coverage") < value("item_item", "coverage")
    assert value("popularity", "novelty") < value("item_item", "novelty")


def test_rows_have_one_key_each_and_bounds_around_the_value(night, rows):
    keys = [(row.scenario, row.contender, row.split, row.window, row.metric, row.k) for row in rows]
    assert len(set(keys)) == len(keys)
    for row in rows:
        if row.metric == "coverage":  # of all users together: there is nothing to resample
            assert 0 < row.value <= 1
            continue
        assert np.isnan(row.value) or row.low - 1e-9 <= row.value <= row.high + 1e-9
    assert {row.metric for row in rows} == {*RANKING, "auc", "gauc", "coverage", "novelty", "diversity"}
    assert arrow_rows(rows, night.ds, 17).num_rows == len(rows)


def test_the_table_is_what_the_bundle_would_have_recommended(night, judged):
    """NDCG of the stored lists, computed once more with loops."""
    one = next(one for one in judged if (one.scenario, one.contender, one.split) == (SMALL, "ease_across", "test"))
    from landbridge.config.days import windows_of
    from landbridge.evaluate.units import units_of
    from landbridge.feed.assemble import Assembler
    from landbridge.feed.interactions import Interactions

    assembler = Assembler.load(night.models / "assembler")
    interactions = Interactions.read(night.lake, assembler.vocabulary, night.ds)
    units = units_of(night.lake, interactions, assembler, windows_of(night.config, night.ds)[-1], [SMALL], 1000)[0]
    fitted = load_fitted(night.models / "fits" / "B" / scope_folder(ALL) / "ease_across")
    items, _ = top_k(fitted, units.states, units.catalogue, 10, 30)
    for row, found in enumerate(one.ranking_BM[:, 0]):
        truth = set(units.truth[row].indices)
        gain = sum(1 / np.log2(rank + 2) for rank, item in enumerate(items[row]) if item in truth)
        assert found == pytest.approx(gain / sum(1 / np.log2(rank + 2) for rank in range(min(10, len(truth)))))


def test_only_contenders_with_all_windows_and_a_fit_to_publish_take_part(night, judged, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(night.models, models)
    shutil.rmtree(models / "fits" / "C" / SMALL / "ease")
    kept = [one for one in judged if (one.scenario, one.contender, one.window) != (TINY, "item_item", 1)]
    trials = {trial.scenario: trial for trial in trials_of(kept, models, SCENARIOS, night.config)}
    assert set(trials[SMALL].values) == NAMES - {"ease"}
    assert set(trials[TINY].values) == NAMES - {"item_item"}
    assert all(len(values) == len(trial.user_N) for trial in trials.values() for values in trial.values.values())


def test_the_step_writes_metrics_and_a_bundle_that_follows_the_decisions(night, outcome):
    assert night.lake.fingerprint("metrics") == night.fingerprint
    table = night.lake.read("metrics")
    assert set(table["ds"].to_pylist()) == {night.ds}
    assert set(table["scenario"].to_pylist()) == {*SCENARIOS, TARGETS}
    decisions, routes = outcome.notes["decisions"], read_routes(night.models / "bundle")["scenarios"]
    assert {scenario: route["contender"] for scenario, route in routes.items()} == {
        scenario: decision["published"] for scenario, decision in decisions.items()
    }
    assert {route["fit"] for route in routes.values()} == {"C"}
    assert {route["unknown"]["contender"] for route in routes.values()} <= {"popularity", "popularity_recent"}


def test_the_outcome_says_what_and_why_and_is_json(night, outcome):
    json.dumps(outcome.notes, allow_nan=False)
    routes = outcome.notes["routes"]
    assert set(routes) == set(SCENARIOS)
    for scenario, route in routes.items():
        assert route["why"].startswith(f"{scenario} publishes {route['contender']}")
        assert route["why"] in night_said(night, outcome)
    assert outcome.notes["metric"] == "ndcg@10"
    assert len(outcome.notes["table"]["validation"][TARGETS]["ease"]) == 4
    assert all(np.isfinite(value) for value in outcome.metrics.values())
    assert outcome.artifacts[0].read_bytes().startswith(b"\x89PNG")


def night_said(night, outcome):
    """What was said; the list is the night's own `append`."""
    return night.say.__self__


def test_running_it_again_gives_the_same_rows(night, outcome, spark):
    def rows():
        return sorted(
            night.lake.read("metrics").to_pylist(), key=lambda row: json.dumps(row, default=str, sort_keys=True)
        )

    before = rows()
    again = EVALUATE.run(dataclasses.replace(night, spark_lake=lambda: SparkLake(spark, night.lake)))
    assert rows() == before
    assert again.notes == outcome.notes


def test_without_fits_it_says_what_to_run(night, tmp_path):
    with pytest.raises(TrainError, match="run the steps pretrain and finetune"):
        fitted_scenarios(tmp_path)
