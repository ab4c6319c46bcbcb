"""Items that a catalogue lists: what they are, from which day on, and what else a day's events say of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.logs import LISTED, Shop, day, line
from tests.snapshots import DS, Snapshot

from landbridge.clean.check import check
from landbridge.clean.step import CLEAN
from landbridge.errors import ConfigError, DataError

MakeShop = Callable[..., Shop]
FILES: dict[str, Any] = {
    "path": "{folder}/listed.csv",
    "header": ["id", "title"],
    "item_id": "id",
    "items": {"title": "title"},
}


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    """A shop with a catalogue beside each day's logs."""
    return make_shop("shop", LISTED)


def titles(shop: Shop) -> dict[tuple[str, dt.date], str | None]:
    return {(row["item_id"], row["valid_from"]): row["title"] for row in shop.rows("items")}


def sell(shop: Shop, number: int, *items: tuple[str, str]) -> None:
    shop.write(day(number), [line(day(number), item, title=title, minute=n) for n, (item, title) in enumerate(items)])


def test_a_listed_item_is_there_from_its_day_on_and_the_catalogue_wins_over_events(shop: Shop) -> None:
    sell(shop, 4, ("10000", "mug"), ("10000", "mug"), ("10001", "jug"))
    shop.catalogue(day(4), "10000,Blue mug", "77777,Red lamp", "77777,Green lamp", ",nobody", " ,nobody")
    sell(shop, 6, ("10000", "mug"))
    before = CLEAN.inputs(shop.night(day(6)))
    shop.catalogue(day(5), "88888,Of a day without logs", "which is not read")
    assert CLEAN.inputs(shop.night(day(6))) == before
    outcome = shop.run(day(6), CLEAN)
    assert titles(shop) == {
        ("10000", day(4)): "Blue mug",
        ("10001", day(4)): "Jug",
        ("77777", day(4)): "Green lamp",
        ("10000", day(6)): "Mug",
    }
    assert outcome.notes["catalogue"] == {"rows": 5, "ignored": 2}
    assert "5 rows of catalogues, 2 of them ignored: they have no item_id" in shop.said
    assert any(f"there is no catalogue of {day(6)}" in said for said in shop.said)


def test_a_catalogue_that_comes_late_or_goes_loads_its_day_again_and_what_is_gone_with_its_logs_stays(
    shop: Shop,
) -> None:
    for number in (0, 1, 2):
        sell(shop, number, ("10000", "mug"))
    lists = [shop.catalogue(day(2), "77777,Lamp", "10000,Mug")]
    shop.run(day(2), CLEAN)
    before, inputs = titles(shop), CLEAN.inputs(shop.night(day(2)))
    lists.append(shop.catalogue(day(1), "77777,Old lamp", "10000,Old mug"))
    assert CLEAN.inputs(shop.night(day(2))) != inputs
    assert list(shop.run(day(2), CLEAN).notes["files"]) == [str(day(1))]
    assert titles(shop) == {
        ("10000", day(0)): "Mug",
        ("10000", day(1)): "Old mug",
        ("10000", day(2)): "Mug",
        ("77777", day(1)): "Old lamp",
        ("77777", day(2)): "Lamp",
    }
    for file in (*lists, shop.path(day(2))):
        file.unlink()
    assert list(shop.run(day(2), CLEAN).notes["files"]) == [str(day(1))]
    assert titles(shop) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sku,name\n77777,Lamp\n77778\n", "mend the file, or the expression of data.catalogue"),
        ("sku,title\n77777,Lamp\n", "its header is not the declared one.*data.catalogue.header says sku, name"),
    ],
)
def test_a_broken_catalogue_is_a_sentence_and_nothing_is_written(shop: Shop, text: str, said: str) -> None:
    sell(shop, 0, ("10000", "mug"))
    shop.catalogue(day(0)).write_text(text)
    with pytest.raises(DataError, match=f"listed-{day(0)}.csv: .*{said}"):
        shop.run(day(0), CLEAN)
    assert not shop.lake.exists("events")


def test_the_check_computes_the_catalogue_and_refuses_an_expression_that_does_not_work(shop: Shop) -> None:
    sell(shop, 0, ("10000", "mug"))
    shop.catalogue(day(0), "77777,Lamp", ",Jug")
    told = "\n".join(check(shop.config, shop.spark, day(0)))
    assert f"listed-{day(0)}.csv: 2 rows, 1 of them with an item_id" in told
    assert "data.catalogue.items.title: in 2 of 2 rows" in told
    (shop.logs / f"listed-{day(0)}.csv").unlink()
    shop.with_config(LISTED, "data.catalogue.items.title=nmae")
    with pytest.raises(ConfigError, match=re.escape("data.catalogue.items.title: the expression `nmae`")):
        check(shop.config, shop.spark, day(0))


def test_a_snapshot_has_one_catalogue(tmp_path: Path, spark: SparkSession) -> None:
    small = Snapshot(tmp_path, spark, {"data": {"items": {"title": "null"}, "catalogue": FILES}})
    small.put("ratings.tsv.gz", "user\titem\trating", "u1\ti1\t7", "u1\ti2\t7")
    small.put("listed.csv", "id,title", "i1,ant", "i9,bee")
    small.run(DS, CLEAN)
    assert titles(small) == {("i1", DS): "ant", ("i2", DS): None, ("i9", DS): "bee"}


@pytest.mark.parametrize(
    ("catalogue", "said"),
    [
        ({"path": "{folder}/{ds}.csv"}, "catalogue.path has {ds} and reader.path has not"),
        ({"items": {}}, "catalogue.items lacks title"),
        ({"items": {"title": "title", "brand": "1"}}, "catalogue.items has brand, which is not among items"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, catalogue: dict[str, Any], said: str) -> None:
    tree = {"data": {"items": {"title": "null"}, "catalogue": {**FILES, **catalogue}}}
    with pytest.raises(ConfigError, match=re.escape(said)):
        Snapshot(tmp_path, None, tree)  # type: ignore[arg-type]


def test_daily_logs_need_daily_catalogues(tmp_path: Path, make_shop: MakeShop) -> None:
    with pytest.raises(ConfigError, match=re.escape("reader.path has {ds} and catalogue.path has not")):
        make_shop("one", LISTED, "data.catalogue.path=listed.csv")
