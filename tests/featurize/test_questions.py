"""Examples of a pointwise task, and the part of the split that every example is in."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from tests.lakes import examples_of
from tests.snapshots import DS, Snapshot

from landbridge.clean.check import check
from landbridge.clean.step import CLEAN
from landbridge.config import load
from landbridge.errors import ConfigError, DataError
from landbridge.featurize.step import FEATURIZE
from landbridge.feed.rows import Coding, Rows
from landbridge.lake.lake import Lake

Make = Callable[..., Snapshot]
REPOSITORY = Path(__file__).parents[2]
HEAD = "user\titem\trating\tage\tcolour\tgenre"
FOLD = "crc32(concat(user_id, ':', item_id)) % 5"
TREE: dict[str, Any] = {
    "data": {
        "reader": {"header": HEAD.split("\t")},
        "columns": {
            "outcome": {"type": "double", "sql": "coalesce(rating, -1)"},
            "age": {"type": "double", "sql": "age"},
            "colour": {"type": "string", "sql": "colour"},
            "genre": {"type": "string", "sql": "genre"},
        },
    },
    "pointwise": {
        "label": "if(outcome < 0, null, outcome >= 8)",
        "value": "outcome",
        "numbers": {"decades": "age / 10"},
        "categories": {"paint": "colour"},
        "tags": "if(genre is null, array(), split(genre, ', *'))",
    },
    "split": {"part": FOLD},
}
LINES = ("u1\ti1\t7\t30\tred\tDrama, School", "u1\ti2\t9\t\t\t", "u2\ti1\t\t50\tblue\tMusic")


@pytest.fixture
def make(tmp_path: Path, spark: SparkSession) -> Make:
    """Snapshots whose configuration is `TREE` with some sections replaced."""
    return lambda **sections: Snapshot(tmp_path, spark, {**TREE, **sections})


def test_an_example_holds_the_answer_the_part_and_the_configured_columns(make: Make) -> None:
    small = make()
    small.put("ratings.tsv.gz", HEAD, *LINES)
    small.run(DS, CLEAN, FEATURIZE)
    found = {(row["user_id"], row["item_id"]): row for row in small.rows("examples")}
    told = {key: [row[name] for name in ("label", "value", "decades", "paint", "tags")] for key, row in found.items()}
    assert told == {
        ("u1", "i1"): [0.0, 7.0, 3.0, "red", ["Drama", "School"]],
        ("u1", "i2"): [1.0, 9.0, None, None, []],
        ("u2", "i1"): [None, -1.0, 5.0, "blue", ["Music"]],
    }
    assert {key: row["part"] for key, row in found.items()} == {
        key: str(zlib.crc32(":".join(key).encode()) % 5) for key in found
    }
    assert [row["value"] for row in small.rows("vocabulary") if row["field"] == "item_id"] == ["i1", "i2"]
    table = small.lake.read("examples")
    rows = Rows.of(table, Coding.fit(table, ("decades",), ("paint",)))
    assert (np.isnan(rows.label_N).sum(), rows.tag_NT.sum()) == (1, 3), "the table makes rows for the contenders"
    _run_again(small)


def _run_again(small: Snapshot) -> None:
    """A second run changes nothing; another column makes the examples anew."""
    version = small.lake.version("examples")
    small.run(DS, FEATURIZE)
    assert small.lake.version("examples") == version
    assert small.said[-1] == "every day is featurized already"
    small.configure({**TREE, "pointwise": {**TREE["pointwise"], "numbers": {"decades": "age / 100"}}})
    small.run(DS, FEATURIZE)
    assert sorted(row["decades"] or 0 for row in small.rows("examples")) == [0, 0.3, 0.5]


def test_a_part_that_is_none_stops_the_step_with_the_part_it_found(make: Make) -> None:
    small = make(split={"part": "if(item_id = 'i1', 'train', 'holdout')"})
    small.put("ratings.tsv.gz", HEAD, *LINES)
    small.run(DS, CLEAN)
    with pytest.raises(DataError, match=r"split\.part is holdout, which is neither a part nor a fold"):
        small.run(DS, FEATURIZE)


def test_the_check_analyses_split_and_questions(make: Make) -> None:
    small = make()
    small.put("ratings.tsv.gz", HEAD, *LINES)
    assert "pointwise.numbers.decades: mean 4" in check(small.config, small.spark)
    small.configure({**TREE, "pointwise": {"label": "outcome > nothing"}})
    with pytest.raises(ConfigError, match=r"pointwise.label: the expression `outcome > nothing` does not work"):
        check(small.config, small.spark)


def test_a_column_of_every_example_cannot_be_configured(make: Make) -> None:
    with pytest.raises(ConfigError, match="part are columns of every example"):
        make(pointwise={"numbers": {"part": "age"}})


def test_lists_are_ranked_with_parts_by_place(tmp_path: Path, spark: SparkSession) -> None:
    reader = {
        "path": "{folder}/*.txt",
        "options": {"sep": "\t", "header": "false"},
        "header": ["line", "items"],
        "explode": {"column": "items"},
    }
    columns = {
        "ts": {"type": "timestamp", "sql": "timestampadd(SECOND, _pos, timestamp'2020-01-01 00:00:00')"},
        "file": {"type": "string", "sql": "split_part(_file, '.', 1)"},
        "user_id": {"type": "string", "sql": "concat(file, ':', line)"},
        "item_id": {"type": "string", "sql": "items"},
        "outcome": {"type": "double", "sql": "1"},
        "remaining": {"type": "long", "sql": "_size - 1 - _pos"},
    }
    part = "case when file = 'alone' or remaining > 1 then 'train' when remaining = 1 then 'validation' else 'test' end"
    small = Snapshot(tmp_path, spark, {"data": {"reader": reader, "columns": columns}, "split": {"part": part}})
    small.put("alone.txt", "1\t5,6,7")
    small.put("both.txt", "1\t7,5,9")
    small.run(DS, CLEAN, FEATURIZE)
    found = {(row["user_id"], row["item_id"]): row for row in examples_of(small.lake).to_pylist()}
    assert {key: row["part"] for key, row in found.items()} == {
        ("alone:1", "5"): "train",
        ("alone:1", "6"): "train",
        ("alone:1", "7"): "train",
        ("both:1", "7"): "train",
        ("both:1", "5"): "validation",
        ("both:1", "9"): "test",
    }
    assert [event["item_id"] for event in found["both:1", "9"]["history"]] == ["7", "5"]


@pytest.mark.parametrize("name", ["anime", "coupon", "oulad", "credit_default", "amazon_food_kitchen"])
def test_the_configuration_of_a_set_fits_its_files(
    name: str, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = REPOSITORY.parent / "shared" / "data"
    if not (data / name).exists():
        pytest.skip(f"{name} is not part of the repository; it would be in {data}")
    monkeypatch.setenv("LANDBRIDGE_DATA", str(data))
    config = load(REPOSITORY / "conf" / f"{name}.yaml", "local", [f"root={tmp_path}"])
    assert "500 rows" in check(config, spark, rows=500)[0]
    assert not Lake(config).exists("events")
