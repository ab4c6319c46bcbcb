"""What networks are told of a scenario: right by hand, never of the future, and there before a scenario has a log."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import SMALL, SOURCE, UTC, examples_of, last_day, tiny_config, tiny_lake

from landbridge.feed.assemble import Assembler
from landbridge.feed.distinct import Distinct
from landbridge.feed.shards import Store

DAYS = 20
TRAINED = 12


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(tmp_path_factory.mktemp("scenarios"), "features.scenario=[size, items, users]")


@pytest.fixture(scope="module")
def lake(config, tmp_path_factory):
    return tiny_lake(tmp_path_factory.mktemp("scenarios"), config, days=DAYS, failures=0.2)


@pytest.fixture(scope="module")
def until(config):
    return last_day(config, TRAINED)


@pytest.fixture(scope="module")
def assembler(lake, config, until):
    return Assembler.fit(lake, config, until)


def moment(day, hours=0):
    return int(dt.datetime.combine(day, dt.time(hours), UTC).timestamp() * 1e6)


def features(assembler, scenario, day, hours=12):
    code = assembler.vocabulary.id("scenario", scenario)
    told = assembler.scenarios.of(np.array([code]), np.array([moment(day, hours)]))[0]
    return dict(zip(assembler.scenarios.names, told, strict=True))


def by_hand(lake, scenario, day):
    """Raw values out of the examples before a day."""
    rows = [row for row in examples_of(lake).to_pylist() if row["scenario"] == scenario and row["ds"] < day]
    had = [row for row in rows if row["had"]]
    lines = np.array([row["log_lines"] for row in rows])
    return {
        "log_events": np.log1p(len(had)),
        "log_items": np.log1p(len({row["item_id"] for row in had})),
        "log_users": np.log1p(len({row["user_id"] for row in rows})),
        "mean_user.log_lines": lines.mean(),
        "spread_user.log_lines": lines.std(),
    }


def test_they_are_what_one_counts_by_hand(lake, assembler, config):
    """Scaling is linear, so three points lie on one line."""
    days = [last_day(config, number) for number in (4, 9, 15)]
    told = [features(assembler, scenario, day) for scenario in (SOURCE, SMALL) for day in days]
    counted = [by_hand(lake, scenario, day) for scenario in (SOURCE, SMALL) for day in days]
    for name in counted[0]:
        x, y = np.array([row[name] for row in counted]), np.array([row[name] for row in told])
        slope, height = np.polyfit(x, y, 1)
        assert slope > 0
        np.testing.assert_allclose(slope * x + height, y, atol=1e-4, err_msg=name)


def test_they_are_those_of_the_day_before_at_any_hour(assembler, config):
    day = last_day(config, 9)
    assert features(assembler, SOURCE, day, 0) == features(assembler, SOURCE, day, 23)
    assert features(assembler, SOURCE, day, 0) != features(assembler, SOURCE, day + dt.timedelta(days=1), 0)


def test_no_day_knows_the_future(assembler, lake, config, until):
    """With the later days cut off, the earlier days say the same to the last bit."""
    early = Assembler.fit(lake, config, until, until)
    for number in (3, 8, TRAINED):
        day = last_day(config, number)
        for scenario in (SOURCE, SMALL):
            assert features(early, scenario, day) == features(assembler, scenario, day)


def test_a_scenario_without_a_log_has_the_place_of_an_empty_one(assembler, config):
    told = features(assembler, "Atlantis", last_day(config, 9))
    young = features(assembler, SOURCE, config.data.reader.first_day)
    assert told == young
    assert told["log_events"] < features(assembler, SOURCE, last_day(config, 9))["log_events"]


def test_they_reach_the_networks_with_the_scenario_that_is_asked(assembler, lake, until):
    """Stored histories, which are read for several scenarios at once, hold what a question of one scenario gets."""
    rows = examples_of(lake, until).sort_by("example_id")
    store = Store.open(lake, assembler, None, until)
    for scenario in (SOURCE, SMALL):
        own = rows.filter(pa.compute.equal(rows["scenario"], scenario))
        asked = assembler.states(own, scenario).user_BF
        assert asked.shape[1] == assembler.n_user_features == len(assembler.user_names) + assembler.scenarios.width
        code = assembler.vocabulary.id("scenario", scenario)
        stored = store.arrays["h.user_BF"][store.arrays["h.scenario"] == code]
        assert {row.tobytes() for row in stored} == {row.tobytes() for row in asked}


def test_whoever_is_unknown_asks_tonight(assembler, config):
    tonight = features(assembler, SMALL, last_day(config, DAYS) + dt.timedelta(days=1))
    np.testing.assert_array_equal(assembler.unknown(SMALL).user_BF[0, 4:], np.array(list(tonight.values()), np.float32))


def test_saved_and_loaded_they_are_the_same(assembler, tmp_path):
    assembler.save(tmp_path)
    loaded = Assembler.load(tmp_path)
    assert loaded.scenarios.names == assembler.scenarios.names
    np.testing.assert_array_equal(loaded.scenarios.value_SDF, assembler.scenarios.value_SDF)
    assert loaded.digest == assembler.digest


def test_nothing_is_told_where_nothing_is_configured(lake, until):
    plain = Assembler.fit(lake, tiny_config(lake.config.folder), until)
    assert plain.n_user_features == len(plain.user_names)


def test_distinct_is_exact_below_its_bound_and_near_above_it():
    rng = np.random.default_rng(0)
    value, day = rng.integers(0, 9000, 40_000), np.sort(rng.integers(0, 10, 40_000))
    exact, near = Distinct(2), Distinct(2, most=1024)
    for part in np.array_split(np.arange(40_000), 7):
        for count in (exact, near):
            count.add(np.ones(len(part), np.int64), day[part], pa.array(value[part].astype(str)))
    first = np.unique(value[day == 0])
    assert exact.daily()["count"].sum() == len(np.unique(value))
    assert exact.daily()["count"][0] == len(first)
    assert abs(near.daily()["count"].sum() / len(np.unique(value)) - 1) < 0.12
