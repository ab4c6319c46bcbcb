"""Items that nothing is learned of: who asks for them, and what may be known of it."""

from __future__ import annotations

import zlib
from collections import defaultdict

import pytest
from tests.lakes import examples_of, last_day, tiny_config, tiny_lake

from landbridge.config.study import ColdItems
from landbridge.errors import ConfigError, DataError
from landbridge.evaluate.cold_items import cold_items
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions

DAYS, ONE_IN = 30, 4


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    config = tiny_config(tmp_path_factory.mktemp("cold"))
    lake, ds = tiny_lake(config.root, config, users=120, days=DAYS, failures=0.1), last_day(config, DAYS)
    assembler = Assembler.fit(lake, config, ds)
    return lake, ds, assembler, Interactions.read(lake, assembler.vocabulary, ds)


@pytest.fixture(scope="module")
def events(given):
    """All examples by user, in their order."""
    found = defaultdict(list)
    for row in sorted(examples_of(given[0]).to_pylist(), key=lambda row: (row["user_id"], row["ts"], row["item_id"])):
        found[row["user_id"]].append(row)
    return found


def cases(given, judged=0, left=(0,), **settings):
    lake, ds, assembler, log = given
    return list(cold_items(lake, ds, ColdItems(one_in=ONE_IN, **settings), judged, left, assembler, log))


def remainder(text):
    return zlib.crc32(text.encode()) % ONE_IN


def wanted_of(units, vocabulary):
    """(user, item) of every unit, and what is out of the race for it."""
    items = vocabulary.values("item_id").to_pylist()
    rows = zip(units.states.user_ids.to_pylist(), units.truth, units.states.had, strict=True)
    return [(user, items[truth.indices[0] - 1], {items[n - 1] for n in had.indices}) for user, truth, had in rows]


def test_every_chosen_item_that_a_user_of_several_scenarios_took_is_asked_for_once(given, events):
    found = [
        (user, item, units.scenario)
        for _, units in cases(given)
        for user, item, _ in wanted_of(units, given[2].vocabulary)
    ]
    shared = [rows for rows in events.values() if len({row["scenario"] for row in rows}) > 1]
    expected = [
        (row["user_id"], row["item_id"], row["scenario"])
        for rows in shared
        for row in rows
        if remainder(row["item_id"]) == 0
    ]
    assert len(expected) > 20
    assert sorted(found) == sorted(expected)


def test_nobody_is_judged_by_his_own_rows_and_no_cold_item_is_learned_of(given, events):
    vocabulary = given[2].vocabulary
    for learn, units in cases(given, judged=1, left=(1, 0)):
        judged = set(units.states.user_ids.to_pylist())
        assert judged.isdisjoint(learn.user_ids.take(_unique(learn.user)).to_pylist())
        learned = vocabulary.values("item_id").take(_unique(learn.item - 1)).to_pylist()
        assert {remainder(item) for item in learned} == {2, 3}
        assert {remainder(item) for _, item, _ in wanted_of(units, vocabulary)} == {1}
    users = {user for learn, _ in cases(given) for user in learn.user_ids.take(_unique(learn.user)).to_pylist()}
    kept = {user for user, rows in events.items() if any(remainder(row["item_id"]) for row in rows)}
    assert users == kept  # whoever is not judged by a group teaches it


def test_what_a_user_had_before_is_out_of_the_race_and_what_came_later_is_not(given, events):
    at = {(row["user_id"], row["item_id"], row["scenario"]): [] for rows in events.values() for row in rows}
    for rows in events.values():
        for row in rows:
            before = {one["item_id"] for one in rows if one["ts"] < row["ts"] and one["had"]}
            at[row["user_id"], row["item_id"], row["scenario"]].append(before)
    for _, units in cases(given):
        for user, item, had in wanted_of(units, given[2].vocabulary):
            assert had in at[user, item, units.scenario]


def test_the_hash_may_be_that_of_an_attribute(given):
    titled = [item for _, units in cases(given, by="title") for _, item, _ in wanted_of(units, given[2].vocabulary)]
    assert titled
    assert {remainder(f"Thing {item}") for item in titled} == {0}
    with pytest.raises(ConfigError, match=r"study.cold_items.by: asin is no attribute of items; those: .*title"):
        cases(given, by="asin")


def test_items_that_nobody_of_several_scenarios_took_are_an_error(given):
    lake, ds, assembler, log = given
    with pytest.raises(DataError, match="lower one_in"):
        list(cold_items(lake, ds, ColdItems(one_in=100_000), 0, (0,), assembler, log))


def _unique(codes):
    return sorted(set(codes.tolist()))
