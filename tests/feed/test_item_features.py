import datetime as dt
from collections import defaultdict

import numpy as np
import pytest
from tests.lakes import SCENARIOS

from landbridge.errors import DataError
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.item_features import ItemFeatures, Snapshot
from landbridge.feed.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def items(assembler):
    return assembler.items


@pytest.fixture(scope="module")
def table(lake, assembler):
    """(scenario or None, item) -> [(day, events, sum of log price, count of it)], by plain loops."""
    found = defaultdict(list)
    for row in lake.read("statistics").to_pylist():
        if not row["feature"].startswith("item"):
            continue
        item = assembler.vocabulary.id("item_id", row["value"])
        first = row["feature"] == "item"
        for where in (row["scenario"], None):
            found[where, item].append(
                (row["ds"], row["count"] if first else 0, 0.0 if first else row["sum"], 0 if first else row["count"])
            )
    return found


def by_hand(table, items, item, scenario, day):
    values = []
    for where in (scenario, None):
        rows = [row for row in table[where, item] if row[0] < day]
        values += [
            np.log1p(sum(row[1] for row in rows if row[0] >= day - dt.timedelta(days=window)))
            for window in items.windows
        ]
        count = sum(row[3] for row in rows)
        values.append(sum(row[2] for row in rows) / count if count else np.nan)
    return np.array(values)


def test_features_are_those_of_the_days_strictly_before(items, table, assembler, days):
    moments = [
        days.first,
        days.first + dt.timedelta(days=1),
        days.first + dt.timedelta(days=9),
        days.train_until,
        days.ds + dt.timedelta(days=5),
    ]
    numbers = np.arange(assembler.vocabulary.size("item_id"))
    for day in moments:
        for name in SCENARIOS:
            found = items.features(numbers, assembler.vocabulary.id("scenario", name), day)
            expected = np.stack([by_hand(table, items, item, name, day) for item in numbers])
            np.testing.assert_allclose(found, expected, rtol=1e-5, equal_nan=True)


def test_arrays_of_items_scenarios_and_days_broadcast(items, days):
    item, scenario = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1], [2]])
    day = days_since_epoch(days.train_until) + np.array([[0], [3]])
    found = items.features(item, scenario, day)
    assert found.shape == (2, 3, items.width)
    for row in range(2):
        for column in range(3):
            single = items.features(item[row, column], scenario[row, 0], int(day[row, 0]))
            np.testing.assert_array_equal(found[row, column], single)


def test_later_days_change_no_bit(lake, config, days, items, assembler):
    vocabulary = Vocabulary.load(lake)
    short = ItemFeatures.load(lake, vocabulary, config, days.train_until)
    numbers = np.arange(vocabulary.size("item_id"))
    day = days.train_until + dt.timedelta(days=1)
    np.testing.assert_array_equal(short.features(numbers, 1, day), items.features(numbers, 1, day))


def test_counts_are_the_events_before(items, table, assembler, days):
    ids, counts = items.counts(assembler.vocabulary.id("scenario", "Germany"), days.train_until)
    expected = {
        item: sum(row[1] for row in rows if row[0] < days.train_until)
        for (where, item), rows in table.items()
        if where == "Germany"
    }
    assert dict(zip(ids.tolist(), counts.tolist(), strict=True)) == {
        item: count for item, count in expected.items() if count
    }


def test_a_snapshot_answers_for_its_day_and_no_other(items, assembler, days):
    snapshot = Snapshot.of(items, days.ds)
    numbers = np.arange(assembler.vocabulary.size("item_id"))
    for scenario in (0, 1, 2, 3):
        expected = items.features(numbers, scenario, days.ds)
        np.testing.assert_array_equal(snapshot.features(numbers, scenario, days.ds), expected)
        np.testing.assert_array_equal(snapshot.features(numbers, scenario, None), expected)
    with pytest.raises(DataError, match="as of day"):
        snapshot.features(numbers, 1, days.ds + dt.timedelta(days=1))


def test_a_lake_without_statistics_knows_nothing(lake, config, days):
    none = ItemFeatures.load(lake, Vocabulary.load(lake), config, days.first - dt.timedelta(days=1))
    assert none.features([1, 2], 1, days.ds)[:, 0].tolist() == [0.0, 0.0]
    assert len(none.known(days.ds)) == 0
    assert len(none.counts(1, days.ds)[0]) == 0
