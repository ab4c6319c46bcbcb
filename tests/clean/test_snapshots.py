"""Data that is not one file a day: snapshots, files joined to them, lists in a line, rows without a key."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.snapshots import DS, Snapshot

from landbridge.clean.check import check
from landbridge.clean.step import CLEAN
from landbridge.errors import ConfigError, DataError

Make = Callable[..., Snapshot]
HEAD = "user\titem\trating"
ITEMS = {
    "path": "{folder}/items.csv",
    "header": ["id", "title", "kind"],
    "keys": {"id": "item"},
}
TITLED = {"lookups": {"info": ITEMS}, "columns": {"title": {"type": "string", "sql": "info.title"}}}


@pytest.fixture
def make(tmp_path: Path, spark: SparkSession) -> Make:
    """Snapshots whose `data` is laid over that of `tests.snapshots.BASE`."""
    return lambda data=None: Snapshot(tmp_path, spark, {"data": data or {}})


def test_everything_in_a_snapshot_belongs_to_its_day(make: Make) -> None:
    small = make()
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7", "u1\ti2\t8", "u2\ti1\tten")
    outcome = small.run(DS, CLEAN)
    assert sorted((row["ds"], row["outcome"]) for row in small.rows("events")) == [(DS, 7.0), (DS, 8.0)]
    assert [(row["file"], row["rules"]) for row in small.rows("quarantine")] == [
        ("ratings.tsv.gz", ["unparsed:outcome"])
    ]
    assert outcome.notes["rows"] == 3


def test_another_day_than_the_snapshots_is_refused_with_the_day_there_is(make: Make) -> None:
    small = make()
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7")
    with pytest.raises(ConfigError, match=f"is a snapshot .* run --ds {DS}"):
        small.run(DS + dt.timedelta(days=1), CLEAN)
    with pytest.raises(ConfigError, match="is a snapshot"):
        check(small.config, small.spark, DS - dt.timedelta(days=1))


def test_a_snapshot_without_a_file_is_a_sentence(make: Make) -> None:
    with pytest.raises(DataError, match=r"no file of 2020-01-01: .*ratings.tsv.gz was expected"):
        make().run(DS, CLEAN)


def test_a_moment_before_the_snapshot_is_right_and_one_after_it_is_a_wrong_day(make: Make) -> None:
    small = make({"columns": {"ts": {"type": "timestamp", "sql": "rating"}, "outcome": {"type": "double", "sql": "1"}}})
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t2019-05-05 10:00:00", "u1\ti2\t2020-01-02 00:00:00")
    events, bad = small.cleaned()
    assert [row["item_id"] for row in events] == ["i1"]
    assert [row["rules"] for row in bad] == [["wrong_day"]]


def test_a_lookup_adds_its_columns_and_no_rows(make: Make) -> None:
    small = make(TITLED)
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7", "u2\ti1\t8", "u1\ti9\t8")
    small.put("items.csv", "id,title,kind", "i1,zebra,a", "i1,ant,b", "i2,bee,a")
    events, _ = small.cleaned()
    assert {(row["user_id"], row["item_id"]): row["title"] for row in events} == {
        ("u1", "i1"): "ant",
        ("u2", "i1"): "ant",
        ("u1", "i9"): None,
    }, "of two rows with one key the first is taken, and a row without a counterpart stays"


def test_a_declared_order_chooses_among_the_rows_of_a_key(make: Make) -> None:
    small = make({**TITLED, "lookups": {"info": {**ITEMS, "order": ["kind"]}}})
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7")
    small.put("items.csv", "id,title,kind", "i1,ant,b", "i1,zebra,a")
    events, _ = small.cleaned()
    assert [row["title"] for row in events] == ["zebra"]


def test_a_changed_lookup_cleans_the_day_again_and_an_unchanged_one_does_not(make: Make) -> None:
    small = make(TITLED)
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7")
    small.put("items.csv", "id,title,kind", "i1,ant,b")
    before = CLEAN.inputs(small.night(DS))
    small.run(DS, CLEAN)
    assert small.run(DS, CLEAN).notes["rows"] == 0
    small.put("items.csv", "id,title,kind", "i1,antelope,b")
    os.utime(small.logs / "items.csv", ns=(1, 1))
    assert CLEAN.inputs(small.night(DS)) != before
    small.run(DS, CLEAN)
    assert [row["title"] for row in small.rows("events")] == ["antelope"]


def test_a_lookup_that_is_absent_or_broken_is_a_sentence(make: Make) -> None:
    small = make(TITLED)
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7")
    with pytest.raises(DataError, match=r"no file of data.lookups.info"):
        small.run(DS, CLEAN)
    small.put("items.csv", "id,name,kind", "i1,ant,b")
    with pytest.raises(DataError, match=r"items.csv: its header is not the declared one"):
        small.run(DS, CLEAN)


def _lists() -> dict[str, Any]:
    reader = {
        "path": "{folder}/*.txt.gz",
        "options": {"sep": "\t", "header": "false"},
        "header": ["line", "items"],
        "explode": {"column": "items"},
    }
    columns = {
        "ts": {"type": "timestamp", "sql": "timestampadd(SECOND, _pos, timestamp'2020-01-01 00:00:00')"},
        "user_id": {"type": "string", "sql": "concat(split_part(_file, '.', 1), ':', line)"},
        "item_id": {"type": "string", "sql": "items"},
        "outcome": {"type": "double", "sql": "1"},
        "length": {"type": "long", "sql": "_size"},
    }
    return {"reader": reader, "columns": columns}


def test_a_list_in_a_line_becomes_a_row_for_each_element(make: Make) -> None:
    small = make(_lists())
    small.put("one.txt.gz", "1\t5,6,5", "2\t7")
    small.put("two.txt.gz", "1\t5")
    events, bad = small.cleaned()
    found = sorted((row["user_id"], row["ts"].second, row["item_id"], row["length"]) for row in events)
    assert found == [
        ("one:1", 0, "5", 3),
        ("one:1", 1, "6", 3),
        ("one:1", 2, "5", 3),
        ("one:2", 0, "7", 1),
        ("two:1", 0, "5", 1),
    ]
    assert bad == [], "the same item twice in a line, or in two files, is no copy"


def test_a_line_without_a_list_is_found_in_quarantine(make: Make) -> None:
    small = make(_lists())
    small.put("one.txt.gz", "1\t5", "2\t")
    events, bad = small.cleaned()
    assert [row["rules"] for row in bad] == [["missing:item_id", "missing:ts"]]
    assert len(events) + len(bad) == 2


def test_rows_are_numbered_by_file_and_copies_do_not_count(make: Make) -> None:
    small = make(
        {
            "reader": {"path": "{folder}/*.tsv", "numbered": True},
            "columns": {"number": {"type": "long", "sql": "_row"}},
        }
    )
    small.put("a.tsv", HEAD, "u3\ti1\t7", "u1\ti1\t7", "u3\ti1\t7", "u2\ti1\t7", "u0\ti1\t7")
    small.put("b.tsv", HEAD, "u9\ti1\t7", "u8\ti1\t7")
    events, bad = small.cleaned()
    numbers = {row["user_id"]: row["number"] for row in events}
    assert numbers == {"u3": 0, "u1": 1, "u2": 2, "u0": 3, "u9": 0, "u8": 1}
    assert [row["rules"] for row in bad] == [["duplicate"]]


def test_of_rows_that_agree_the_first_stays(make: Make) -> None:
    unique = {"by": ["user_id", "item_id"], "order": ["-outcome"]}
    small = make({"rules": [{"name": "low", "remove": "outcome > 9"}, {"name": "rated_again", "unique": unique}]})
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7", "u1\ti1\t9", "u1\ti1\t9", "u1\ti1\t10", "u2\ti1\t9")
    events, bad = small.cleaned()
    assert sorted((row["user_id"], row["outcome"]) for row in events) == [("u1", 9.0), ("u2", 9.0)]
    assert sorted(row["rules"] for row in bad) == [["duplicate"], ["low"], ["rated_again"]]


def test_the_check_says_what_it_found(make: Make) -> None:
    small = make(TITLED)
    small.put("ratings.tsv.gz", HEAD, "u1\ti1\t7", "u2\ti1\t8")
    small.put("items.csv", "id,title,kind", "i1,ant,b")
    assert "2 rows: 2 events, 0 in quarantine" in check(small.config, small.spark)[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"reader": {"closed": "false"}}, "closed is for daily files"),
        ({"reader": {"explode": {"column": "no"}}}, "explode.column no is not in header"),
        ({"lookups": {"info": {**ITEMS, "keys": {"no": "item"}}}}, "keys: no is not in header"),
        ({"lookups": {"item": ITEMS}}, "lookups.item has the name of a column"),
        ({"lookups": {"info": {**ITEMS, "order": ["kind desc"]}}}, r"order\.0: .* for the largest write its negative"),
        ({"rules": [{"name": "again", "unique": {"by": ["no"]}}]}, "is by no, which is not among columns"),
    ],
)
def test_what_cannot_be_is_refused(make: Make, data: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make(data)
