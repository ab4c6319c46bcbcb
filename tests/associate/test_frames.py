"""The table's kinds, DataFrame to DataFrame: on the same log Spark and numpy find the same, to the weight."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, config_of, interactions_of, vocabulary_of

from landbridge.associate import taken, texts
from landbridge.associate.attributes import as_of, by_value
from landbridge.associate.log import homes_of, log_of, named
from landbridge.config.associations import Associations
from landbridge.contenders import kinds
from landbridge.contenders.base import ALL, View
from landbridge.contenders.simple import all_simple
from landbridge.errors import DataError
from landbridge.feed.vectors import Vectors
from landbridge.feed.words import Words

ITEMS = 30
SETTINGS = {"neighbours": 4, "taken": {"user_items": 6, "shrinkage": 3}}
CONFIG = config_of(f"associations={SETTINGS}", "contenders.associations={}")


def drawn(seed=0):
    """A log of forty users, who take up to twelve items each, some of them again, most in one scenario."""
    draw = random.Random(seed)
    rows = []
    for user in range(40):
        home, other = (BIG, SMALL) if user % 3 else (SMALL, BIG)
        for _ in range(draw.randint(1, 12)):
            scenario = home if draw.random() < 0.7 else other
            rows.append((user, draw.randrange(ITEMS), scenario, UNTIL - dt.timedelta(days=draw.randrange(9))))
    return rows, [draw.random() < 0.9 for _ in rows]


@pytest.fixture(scope="module")
def vocabulary(spark):
    known = vocabulary_of(ITEMS)
    rows = [(field, value, at) for field in ("item_id", "scenario") for at, value in enumerate(known.values(field), 1)]
    return spark.createDataFrame([(f, v.as_py(), at) for f, v, at in rows], "field string, value string, id long")


@pytest.fixture(scope="module")
def log(spark, vocabulary):
    rows, had = drawn()
    examples = [
        (f"u{user:05d}", dt.datetime.combine(day, dt.time()), f"i{item:04d}", scenario, kept)
        for (user, item, scenario, day), kept in zip(rows, had, strict=True)
    ]
    schema = "user_id string, ts timestamp, item_id string, scenario string, had boolean"
    return log_of(spark.createDataFrame(examples, schema), vocabulary).persist()


@pytest.fixture(scope="module")
def homes(log):
    return homes_of(log).persist()


def weights(frame):
    return {(row["item"], row["other"]): row["weight"] for row in frame.collect()}


def test_homes_are_those_of_the_contender(homes):
    rows, had = drawn()
    home_V = kinds.homes(interactions_of(rows, ITEMS, had))
    assert {row["item"]: row["home"] for row in homes.collect()} == {i: h for i, h in enumerate(home_V) if h}
    assert set(home_V) == {0, 1, 2}


def test_what_the_same_users_took_weighs_in_the_table_what_it_weighs_in_the_contender(log, homes):
    """Capped, shrunk and cut to the nearest in each scenario by both."""
    rows, had = drawn()
    contender = {one.name: one for one in all_simple(CONFIG)}["associations"]
    cells = contender.fit(View(CONFIG, ALL, UNTIL, interactions_of(rows, ITEMS, had))).kinds["taken"].tocoo()
    expected = {(int(i), int(j)): float(w) for i, j, w in zip(*cells.coords, cells.data, strict=True)}
    settings = CONFIG.associations
    found = weights(taken.by_taking(taken.latest(log, settings.taken.user_items), homes, settings))
    assert found == pytest.approx(expected, rel=1e-6)
    assert len(found) > 100


def test_what_somebody_took_is_named_with_the_pair_of_scenarios(spark, homes, vocabulary):
    home = {row["item"]: (BIG, SMALL)[row["home"] - 1] for row in homes.collect()}
    lost = next(item for item in range(1, ITEMS + 2) if item not in home)
    one, other = next((i, j) for i in home for j in home if home[i] != home[j])
    edges = spark.createDataFrame(
        [(one, other, "taken", 0.5), (one, lost, "title", 1.0)], "item long, other long, kind string, weight float"
    )
    row = named(edges, homes, vocabulary).collect()
    assert [tuple(one) for one in row] == [
        (f"i{one - 1:04d}", home[one], f"i{other - 1:04d}", home[other], "taken", 0.5)
    ]


def test_items_of_one_value_as_of_the_day_weigh_as_in_the_contender(spark, vocabulary):
    after = UNTIL + dt.timedelta(days=1)
    told = [
        (0, UNTIL, "Ann"),
        (1, UNTIL, "Ann"),
        (2, UNTIL, "Ann"),
        (3, UNTIL, "Bo"),
        (4, UNTIL, "Bo"),
        (4, after, "Cy"),
    ]
    told += [(5, UNTIL, ""), (6, UNTIL, None), (7, UNTIL, None), *[(item, UNTIL, "Ed") for item in range(8, 13)]]
    rows = [(f"i{item:04d}", day, value) for item, day, value in told]
    items = spark.createDataFrame(rows, "item_id string, valid_from date, author string")
    settings = Associations(attributes=["author"], max_alike=4)
    for day in (UNTIL, after):
        days = np.array([(one - dt.date(1970, 1, 1)).days for _, one, _ in told], np.int32)
        ids = np.array([item + 1 for item, _, _ in told], np.int32)
        values = Words(ids, days, tuple(value or "" for _, _, value in told), ITEMS + 1).values_as_of(day)
        cells = kinds.by_value(values, settings).tocoo()
        expected = {(int(i), int(j)): float(w) for i, j, w in zip(*cells.coords, cells.data, strict=True)}
        found = weights(by_value(as_of(items, vocabulary, ["author"], day), "author", settings))
        assert found == pytest.approx(expected)
        assert ((4, 5) in found) is (day == UNTIL)
    assert found[1, 2] == pytest.approx(1 / 2**0.5)


def vector_rows(spark, count=ITEMS):
    vector_MD = np.random.default_rng(1).standard_normal((count, 5)).astype(np.float32)
    rows = [(item + 1, 1 + item % 2, vector_MD[item].tolist()) for item in reversed(range(count))]
    return spark.createDataFrame(rows, "item long, home int, vector array<float>"), vector_MD


def test_texts_are_compared_in_blocks_on_the_executors(spark, monkeypatch):
    monkeypatch.setattr(texts, "BLOCK", 7)
    settings = Associations(neighbours=3)
    frame, vector_MD = vector_rows(spark)
    space = texts.space_of(frame, ITEMS)
    found = weights(texts.by_text(spark.range(0, ITEMS, 1, 3), space, settings))
    home_V = np.array([0, *(1 + item % 2 for item in range(ITEMS))], np.int32)
    cells = kinds.by_text(Vectors(np.arange(1, ITEMS + 1, dtype=np.int32), vector_MD), home_V, settings).tocoo()
    expected = {(int(i), int(j)): float(w) for i, j, w in zip(*cells.coords, cells.data, strict=True)}
    assert found == pytest.approx(expected, rel=1e-4)
    assert len(found) > 5 * ITEMS  # of 6, those that are near at all


def test_more_texts_than_allowed_are_refused_with_what_to_raise(spark):
    frame, _ = vector_rows(spark)
    with pytest.raises(DataError, match=r"at least 12 items have a vector, and associations\.text\.max_items is 11"):
        texts.space_of(frame, 11)
    with pytest.raises(DataError, match="no text is encoded"):
        texts.space_of(frame.where("item < 0"), 11)
