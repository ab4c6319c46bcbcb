"""The step associate: the day's table holds what the contender of the day knows, kind by kind, and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import last_day, tiny_config, tiny_lake

from landbridge.associate.step import ASSOCIATE
from landbridge.contenders.base import ALL, View
from landbridge.contenders.kinds import homes
from landbridge.contenders.simple import all_simple
from landbridge.feed.interactions import Interactions
from landbridge.feed.vectors import vectors_of
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.words import attributes_of
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.spark import SparkLake
from landbridge.step import Night

DAYS = 12
ON = (
    "associations={neighbours: 5, text: {}, attributes: [title]}",
    "contenders.associations={}",
    "encode={text: title}",
)


def written(lake, name, rows):
    """Append rows to a table; what they do not say is empty."""
    contract = lake.contract(name)
    blank = {
        key: {"string": "", "double": 0.0, "bigint": 0}.get(column.type) for key, column in contract.columns.items()
    }
    lake.append(name, pa.Table.from_pylist([blank | row for row in rows], schema=arrow_schema(contract)), "test")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A small lake, two of whose titles are the same, with vectors of most items."""
    root = tmp_path_factory.mktemp("associate")
    config = tiny_config(root, *ON)
    lake, ds = tiny_lake(root, config, days=DAYS), last_day(config, DAYS)
    items = Vocabulary.load(lake).values("item_id").to_pylist()
    written(lake, "items", [{"item_id": item, "valid_from": ds, "title": "One"} for item in items[:2]])
    draw = np.random.default_rng(0)
    vectors = [
        {"item_id": item, "encoder": config.encode.model, "revision": "r", "vector": draw.standard_normal(4), "ds": ds}
        for item in items[3:]
    ]
    written(lake, "item_vectors", vectors)
    written(lake, "ledger", [{"ds": ds, "step": "encode", "generation": 1, "notes": json.dumps({"revision": "r"})}])
    return lake


def run(lake, spark, tmp_path, config=None):
    said, config = [], config or lake.config
    night = Night(
        config, last_day(config, DAYS), lake, lambda: SparkLake(spark, lake), said.append, tmp_path, tmp_path, "print"
    )
    return ASSOCIATE.run(night), said


def of_contender(lake):
    """Item, other and kind to the weight that the contender fitted on all days gives them, of items somebody took."""
    config, vocabulary = lake.config, Vocabulary.load(lake)
    ds = last_day(config, DAYS)
    log = Interactions.read(lake, vocabulary, ds)
    texts = {"vectors": vectors_of(lake, vocabulary, config), "attributes": attributes_of(lake, vocabulary, config)}
    contender = {one.name: one for one in all_simple(config)}["associations"]
    assert contender.left_out(View(config, ALL, ds, log, **texts)) is None
    fitted, home_V = contender.fit(View(config, ALL, ds, log, **texts)), homes(log)
    names, scenarios = (vocabulary.values(field).to_pylist() for field in ("item_id", "scenario"))
    found = {}
    for kind, weights in fitted.kinds.items():
        cells = weights.tocoo()
        for item, other, weight in zip(*cells.coords, cells.data, strict=True):
            pair = (names[item - 1], names[other - 1], kind)
            found[pair] = (
                *(scenarios[home_V[one] - 1] for one in (item, other)),
                pytest.approx(float(weight), rel=1e-4),
            )
    return found


@pytest.mark.system
def test_the_table_of_the_last_day_is_what_the_contender_knows(lake, spark, tmp_path):
    outcome, said = run(lake, spark, tmp_path)
    rows = lake.read("associations").to_pylist()
    found = {
        (row["item_id"], row["other_id"], row["kind"]): (row["scenario"], row["other_scenario"], row["weight"])
        for row in rows
    }
    expected = of_contender(lake)
    assert found == expected
    assert len(rows) == len(found)  # the key is one
    assert {row["ds"] for row in rows} == {last_day(lake.config, DAYS)}
    counts = {kind: sum(pair[2] == kind for pair in expected) for kind in ("taken", "text", "title")}
    assert counts["title"] == 2
    assert outcome.notes == {"associations": counts, "left_out": []}
    assert f"{counts['taken']:,} associations of the kind taken" in said[0]
    assert lake.fingerprint("associations") == "print"


@pytest.mark.system
def test_with_too_many_texts_the_other_kinds_are_written_and_it_is_said(lake, spark, tmp_path):
    few = tiny_config(lake.config.root, *ON, "associations.text.max_items=3")
    outcome, said = run(lake, spark, tmp_path, few)
    assert "at least 4 items have a vector, and associations.text.max_items is 3" in outcome.notes["left_out"][0]
    assert said[0] == outcome.notes["left_out"][0]
    kinds = lake.read("associations", columns=["kind"])["kind"].to_pylist()
    assert set(kinds) == {"taken", "title"}
    assert len(lake.days("associations")) == 1


def test_without_the_section_nothing_is_read_or_written(tmp_path):
    def no_spark():
        raise AssertionError

    from landbridge.lake.lake import Lake

    config, said = tiny_config(tmp_path), []
    night = Night(config, dt.date(2011, 3, 7), Lake(config), no_spark, said.append, tmp_path, tmp_path)
    assert ASSOCIATE.run(night).notes == {"left_out": ["no section associations"]}
    assert said == ["nothing is associated: no section associations"]
    assert not (tmp_path / "lake").exists()
