"""Laws of clean and featurize over nights: one by one, at once, again, late, replaced; no feature knows the future."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.lakes import examples_of
from tests.logs import Line, Shop, day, line, lines

from landbridge.clean.step import CLEAN
from landbridge.featurize.step import FEATURIZE

TABLES = ("events", "quarantine", "items", "users", "vocabulary", "statistics", "examples", "histories")
DAYS = (2, 3, 4, 6)
"""Wednesday to Friday, and Sunday; the shop is closed on Saturday."""
MakeShop = Callable[..., Shop]


def content(shop: Shop, until: int, *tables: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of all tables, and the user states of the last day."""
    found = {table: shop.rows(table) for table in tables or TABLES}
    return found | {"user_state": [row for row in shop.rows("user_state") if row["ds"] == day(until)]}


def dirty(number: int) -> list[Line]:
    """A day's lines with copies, strangers, cancellations, wrong days and values of every bad kind."""
    ds, draw = day(number), random.Random(number)
    rows = lines(ds, 14, seed=1)
    rows += [draw.choice(rows) for _ in range(3)]
    rows += [
        line(ds, user=""),
        line(ds, invoice="C501"),
        line(ds, item="POST"),
        line(ds, quantity="two"),
        line(ds, price="-1"),
        line(ds, at=f"{ds + dt.timedelta(days=1)} 10:00:00"),
        line(ds, title=""),
        line(ds, price="900", minute=7),
    ]
    draw.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Shop:
    """A shop whose four days came in one night; only read from."""
    shop = Shop(tmp_path_factory.mktemp("at_once"), spark)
    for number in DAYS:
        shop.write(day(number), dirty(number))
    shop.run(day(6), CLEAN, FEATURIZE)
    return shop


def test_nights_one_by_one_give_the_tables_of_one_night(at_once: Shop, make_shop: MakeShop) -> None:
    shop = make_shop("one_by_one")
    for number in (2, 3, 4, 5, 6):
        if number in DAYS:
            shop.write(day(number), dirty(number))
        shop.run(day(number), CLEAN, FEATURIZE)
    assert content(shop, 6) == content(at_once, 6)
    _state_is_history_of_the_next_day(shop)
    _a_closed_day_keeps_the_states_and_moves_their_time(shop)
    _every_row_is_in_one_table(at_once)
    _history_is_what_was_before(at_once)
    _a_second_run_changes_nothing(shop)


def test_a_day_that_comes_late_and_one_that_is_replaced_end_in_the_same_tables(
    at_once: Shop, make_shop: MakeShop
) -> None:
    shop = make_shop("late")
    shop.write(day(2), dirty(2))
    shop.write(day(3), lines(day(3), 9, seed=5))
    shop.write(day(6), dirty(6))
    shop.run(day(6), CLEAN, FEATURIZE)
    assert any(str(day(4)) in said for said in shop.said), shop.said
    before = {(row["field"], row["value"]): row["id"] for row in shop.rows("vocabulary")}
    shop.write(day(3), dirty(3))
    shop.write(day(4), dirty(4))
    outcome = shop.run(day(6), CLEAN)
    assert sorted(outcome.notes["files"]) == [str(day(3)), str(day(4))]
    shop.run(day(6), FEATURIZE)
    tables = tuple(set(TABLES) - {"vocabulary"})
    assert content(shop, 6, *tables) == content(at_once, 6, *tables)
    after = {(row["field"], row["value"]): row["id"] for row in shop.rows("vocabulary")}
    assert before.items() <= after.items()
    for field in ("item_id", "scenario", "event_type"):
        ids = sorted(number for (of, _), number in after.items() if of == field)
        assert ids == list(range(1, len(ids) + 1))


def test_no_example_knows_the_future(at_once: Shop, make_shop: MakeShop) -> None:
    shop = make_shop("other_future")
    for number in DAYS[:2]:
        shop.write(day(number), dirty(number))
    shop.write(day(4), lines(day(4), 20, seed=9))
    shop.write(day(6), lines(day(6), 20, seed=9))
    shop.run(day(6), CLEAN, FEATURIZE)
    for table in ("examples", "histories", "statistics"):
        assert shop.rows(table, until=day(3)) == at_once.rows(table, until=day(3))
        assert shop.rows(table) != at_once.rows(table)


def test_events_of_one_moment_do_not_see_each_other_and_earlier_ones_are_seen_by_time(shop: Shop) -> None:
    shop.write(
        day(0),
        [
            line(day(0), "10005", minute=5),
            line(day(0), "10001", minute=1, price="3"),
            line(day(0), "10002", minute=5),
            line(day(0), "10003", minute=9),
            line(day(0), "10004", minute=2, user="2"),
        ],
    )
    shop.run(day(0), CLEAN, FEATURIZE)
    seen = {
        row["item_id"]: {event["item_id"] for event in row["history"]} for row in examples_of(shop.lake).to_pylist()
    }
    assert seen == {
        "10001": set(),
        "10004": set(),
        "10005": {"10001"},
        "10002": {"10001"},
        "10003": {"10001", "10002", "10005"},
    }
    state = next(row for row in shop.rows("user_state") if row["user_id"] == "1")
    assert (state["running_lines"], state["running_spend"]) == (4, 3 + 2.5 * 3)
    assert state["had"] == ["10001", "10002", "10003", "10005"]
    assert state["ts"] == dt.datetime(2011, 3, 8, tzinfo=dt.UTC)


def _a_closed_day_keeps_the_states_and_moves_their_time(shop: Shop) -> None:
    friday, saturday = ([row for row in shop.rows("user_state") if row["ds"] == day(number)] for number in (4, 5))
    assert [row["history"] for row in saturday] == [row["history"] for row in friday]
    assert all(late["log_days_since"] > early["log_days_since"] for late, early in zip(saturday, friday, strict=True))


def _every_row_is_in_one_table(shop: Shop) -> None:
    for number in DAYS:
        rows = [row["ds"] for table in ("events", "quarantine") for row in shop.rows(table) if row["ds"] == day(number)]
        assert len(rows) == len(dirty(number))
    broke = {rule for row in shop.rows("quarantine") for rule in row["rules"]}
    assert {
        "duplicate",
        "no_customer",
        "cancellation",
        "not_a_product",
        "unparsed:quantity",
        "price_not_positive",
        "wrong_day",
    } <= broke


def _history_is_what_was_before(shop: Shop) -> None:
    """Against plain Python: of the user's events strictly before, by time and then by id, the last four."""
    events = sorted(shop.rows("events"), key=lambda row: (row["ts"], row["event_id"]))
    for example in examples_of(shop.lake).to_pylist():
        before = [
            event["item_id"]
            for event in events
            if event["user_id"] == example["user_id"] and event["ts"] < example["ts"]
        ]
        assert [event["item_id"] for event in example["history"]] == before[-4:]


def _state_is_history_of_the_next_day(shop: Shop) -> None:
    compared = 0
    for number, following in ((2, 3), (3, 4), (4, 6), (5, 6)):
        states = {row["user_id"]: row["history"] for row in shop.rows("user_state") if row["ds"] == day(number)}
        examples = [row for row in examples_of(shop.lake).to_pylist() if row["ds"] == day(following)]
        first: dict[str, dict[str, Any]] = {}
        for row in sorted(examples, key=lambda row: row["ts"]):
            first.setdefault(row["user_id"], row)
        for user, row in first.items():
            assert row["history"] == states.get(user, [])
            compared += 1
    assert compared >= 6


def _a_second_run_changes_nothing(shop: Shop) -> None:
    versions = {table: shop.lake.version(table) for table in (*TABLES, "user_state")}
    shop.run(day(6), CLEAN, FEATURIZE)
    assert {table: shop.lake.version(table) for table in versions} == versions
    before = content(shop, 6)
    # Without the ledger nothing is known to be done: all days are made again, and come out the same.
    for step in (CLEAN, FEATURIZE):
        (shop.lake.delta("ledger").delete(f"step = '{step.name}'"))
        shop.run(day(6), step)
    assert content(shop, 6) == before
