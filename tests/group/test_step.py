"""The step group, on a shop in which two tastes of the source are two other tastes of the target."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict

import numpy as np
import pytest
from tests.lakes import SMALL, SOURCE, lake_of, last_day, tiny_config

from landbridge.errors import DataError
from landbridge.group.clusters import _matched
from landbridge.group.step import GROUP, TABLES
from landbridge.lake.lake import Lake
from landbridge.lake.spark import SparkLake
from landbridge.step import Night

DAYS, USERS = 14, 48
ON = ("groups={count: 2, factors: 4, iterations: 5, smoothing: 2}", "split.validation_days=2", "split.test_days=1")


def taste(user):
    return "a" if user < USERS // 2 else "b"


def events_of(config, days=DAYS):
    """Everybody buys what is of his taste, every third one in the target too; some come on the last day only."""
    rng, rows = np.random.default_rng(0), []
    for day in range(days):
        date = config.data.reader.first_day + dt.timedelta(days=day)
        for user in range(USERS):
            if user % 8 == 7 and day < days - 1:
                continue
            for scenario in [SOURCE, SMALL][: 2 if user % 3 == 0 else 1]:
                item = f"{taste(user)}{scenario[0]}{rng.integers(6)}"
                rows.append(
                    {
                        "example_id": f"e{len(rows)}", "ts": dt.datetime.combine(date, dt.time(12), dt.UTC), "ds": date,
                        "user_id": f"u{user:02d}", "item_id": item, "scenario": scenario, "event_type": "purchase",
                        "outcome": 1.0, "price": 1.0,
                    }
                )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def lake(tmp_path_factory, spark):
    config = tiny_config(tmp_path_factory.mktemp("group"), *ON)
    lake = lake_of(config, events_of(config), last_day(config, DAYS))
    run(lake, spark, last_day(config, DAYS))
    return lake


def run(lake, spark, ds):
    said = []
    night = Night(
        lake.config,
        ds,
        lake,
        lambda: SparkLake(spark, lake),
        said.append,
        lake.config.folder,
        lake.config.folder,
        "print",
    )
    return GROUP.run(night), said


def groups_of(lake, fit, scenario, ds=None):
    """User to group."""
    rows = lake.read("user_groups").to_pylist()
    wanted = fit, scenario, ds or max(row["ds"] for row in rows)
    return {row["user_id"]: row["group"] for row in rows if (row["fit"], row["scenario"], row["ds"]) == wanted}


pytestmark = pytest.mark.system


@pytest.mark.parametrize("fit", "ABC")
@pytest.mark.parametrize("scenario", [SOURCE, SMALL])
def test_users_of_one_taste_are_one_group(lake, fit, scenario):
    tastes = defaultdict(set)
    for user, group in groups_of(lake, fit, scenario).items():
        tastes[group].add(taste(int(user[1:])))
    assert sorted(map(sorted, tastes.values())) == [["a"], ["b"]]


def test_every_row_is_there_once_and_under_the_nights_fingerprint(lake):
    for name in TABLES:
        rows = lake.read(name, columns=list(lake.contract(name).key)).to_pylist()
        assert len({tuple(row.values()) for row in rows}) == len(rows) > 0
        assert lake.fingerprint(name) == "print"


def test_interest_flows_from_a_taste_into_the_same_taste(lake):
    """All of the target's users are in the source too; the pseudo-count leaves some to the other group."""
    here, there = (groups_of(lake, "C", scenario) for scenario in (SOURCE, SMALL))
    rows = lake.read("group_flow").to_pylist()
    cells = {
        (row["source_group"], row["target_group"]): row
        for row in rows
        if (row["fit"], row["source"], row["target"]) == ("C", SOURCE, SMALL)
    }
    pairs = Counter((here[user], there[user]) for user in there if user in here)
    sizes = Counter(there.values())
    for (source, target), row in cells.items():
        both, total = pairs[source, target], sum(pairs[source, other] for other in sizes)
        assert row["users"] == both
        marginal = sizes[target] / sum(sizes.values())
        assert row["share"] == pytest.approx((both + 2 * marginal) / (total + 2))
    assert len(cells) == 4
    assert max(row["share"] for row in cells.values()) > 0.8
    back = [row for row in rows if (row["fit"], row["source"]) == ("C", SMALL)]
    assert {row["target"] for row in back} == {SOURCE}


def test_shares_of_a_group_sum_to_one(lake):
    sums = Counter()
    for row in lake.read("group_flow").to_pylist():
        sums[row["fit"], row["source"], row["source_group"], row["target"]] += row["share"]
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))


def test_a_group_is_named_by_what_it_took(lake):
    rows = [row for row in lake.read("groups").to_pylist() if row["fit"] == "C" and row["scenario"] == SMALL]
    members = groups_of(lake, "C", SMALL)
    for row in rows:
        mine = {taste(int(user[1:])) for user, group in members.items() if group == row["group"]}
        assert {item[0] for item in row["items"][:6]} == mine
        assert row["users"] == sum(group == row["group"] for group in members.values())


def test_a_fit_knows_nobody_of_later_days(lake):
    late = {f"u{user:02d}" for user in range(USERS) if user % 8 == 7}
    assert not late & set(groups_of(lake, "B", SOURCE))
    assert not late & set(groups_of(lake, "C", SOURCE))  # one event on one day is below min_events


def test_the_nearest_centre_is_the_users_own(lake):
    """What the networks do with a history is what the step did with the events."""
    factors = {
        row["item_id"]: np.array(row["vector"]) for row in lake.read("item_factors").to_pylist() if row["fit"] == "C"
    }
    centres = {
        row["group"]: np.array(row["centroid"])
        for row in lake.read("groups").to_pylist()
        if (row["fit"], row["scenario"]) == ("C", SOURCE)
    }
    taken = defaultdict(list)
    for row in lake.read("examples").to_pylist():
        if row["scenario"] == SOURCE:
            taken[row["user_id"]].append(factors[row["item_id"]])
    for user, group in groups_of(lake, "C", SOURCE).items():
        mean = np.mean(taken[user], axis=0)
        mean /= np.linalg.norm(mean)
        assert min(centres, key=lambda one: ((centres[one] - mean) ** 2).sum()) == group


def test_groups_keep_their_numbers_from_night_to_night(lake, spark):
    ds = last_day(lake.config, DAYS)
    before = groups_of(lake, "A", SOURCE, ds)
    again = Lake(lake.config)
    run(again, spark, ds + dt.timedelta(days=1))
    after = groups_of(again, "A", SOURCE, ds + dt.timedelta(days=1))
    assert before
    assert {user: after[user] for user in before} == before


def test_where_nobody_has_enough_events_it_is_said(lake, spark, tmp_path):
    few = tiny_config(tmp_path, "groups={count: 2, factors: 2, iterations: 1, min_events: 9}", *ON[1:])
    young = lake_of(few, events_of(few, 3), last_day(few, 3))
    with pytest.raises(DataError, match=r"lower groups\.min_events"):
        run(young, spark, last_day(few, 3))


def test_a_group_takes_the_number_with_which_it_shares_most():
    assert _matched({(0, 1): 9, (1, 0): 4, (1, 1): 1, (0, 0): 0}) == {0: 1, 1: 0}
    assert _matched({(0, 0): 0, (1, 0): 0, (2, 0): 0}) == {0: 0, 1: 1, 2: 2}
    assert _matched({(0, 2): 3, (1, 2): 5, (0, 0): 0, (1, 0): 0}) == {0: 0, 1: 2}


def test_without_the_section_nothing_is_read_or_written(tmp_path):
    def no_spark():
        raise AssertionError

    config, said = tiny_config(tmp_path), []
    night = Night(config, dt.date(2011, 3, 7), Lake(config), no_spark, said.append, tmp_path, tmp_path)
    assert GROUP.run(night).notes == {"left_out": ["no section groups"]}
    assert said == ["nobody is grouped: no section groups"]
    assert not (tmp_path / "lake").exists()
