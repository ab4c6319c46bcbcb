"""Ids of items that a catalogue lists: given on their day, in an order that no night decides."""

from __future__ import annotations

from collections.abc import Callable

from tests.logs import LISTED, Shop, day, lines, shop_config

from landbridge.clean.step import CLEAN
from landbridge.featurize.step import FEATURIZE, _fresh
from landbridge.pipeline.steps import load

MakeShop = Callable[..., Shop]
LISTS = (("10009,Lamp", "10000,Mug"), ("10008,Vase", "10009,Lamp"))


def ids(shop: Shop) -> dict[str, int]:
    return {row["value"]: row["id"] for row in shop.rows("vocabulary") if row["field"] == "item_id"}


def write(shop: Shop, number: int) -> None:
    shop.write(day(number), lines(day(number), 9))
    shop.catalogue(day(number), *LISTS[number])


def test_days_one_by_one_give_the_ids_and_items_of_all_at_once(make_shop: MakeShop) -> None:
    at_once, one_by_one = make_shop("at_once", LISTED), make_shop("one_by_one", LISTED)
    for number in range(2):
        write(at_once, number)
        write(one_by_one, number)
        one_by_one.run(day(number), CLEAN, FEATURIZE)
    at_once.run(day(1), CLEAN)
    _items_of_later_days_get_no_ids_yet(at_once)
    at_once.run(day(1), FEATURIZE)
    assert {"10008", "10009"} <= set(ids(at_once))
    for table in ("items", "vocabulary", "examples"):
        assert one_by_one.rows(table) == at_once.rows(table)
    assert sorted(ids(at_once).values()) == list(range(1, len(ids(at_once)) + 1))
    _again_changes_nothing(at_once)
    _late_it_gives_ids_and_no_example_is_made_anew(at_once)


def _items_of_later_days_get_no_ids_yet(shop: Shop) -> None:
    night = shop.night(day(0))
    lake = night.spark_lake()
    fresh = {row["value"] for row in _fresh(night, lake, lake.table("events").limit(0)).collect()}
    assert "10009" in fresh
    assert "10008" not in fresh


def _again_changes_nothing(shop: Shop) -> None:
    tables = ("items", "vocabulary", "examples", "user_state")
    before = [shop.lake.version(table) for table in tables]
    shop.run(day(1), CLEAN, FEATURIZE)
    assert [shop.lake.version(table) for table in tables] == before


def _late_it_gives_ids_and_no_example_is_made_anew(shop: Shop) -> None:
    before, versions = ids(shop), [shop.lake.version(table) for table in ("examples", "user_state")]
    shop.catalogue(day(0), *LISTS[0], "10007,Clock")
    shop.run(day(1), CLEAN, FEATURIZE)
    assert ids(shop) == {**before, "10007": len(before) + 1}
    assert [shop.lake.version(table) for table in ("examples", "user_state")] == versions


def test_the_step_reads_the_items_only_where_they_are_listed(tmp_path) -> None:
    plain, listed = (shop_config(tmp_path, tmp_path, *more) for more in ((), (LISTED,)))
    assert load("featurize", plain).reads == ("events",)
    assert load("featurize", listed).reads == ("events", "items")
