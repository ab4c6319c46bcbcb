"""The vectors of texts in a pointwise night and in a study: from the tables to fits, and into fingerprints."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tests.point_nights import DS, fit, ready
from tests.points import table_of

from landbridge.contenders.points import CODING
from landbridge.contenders.pointwise.folder import load_point
from landbridge.feed.questions import SCORED, Questions
from landbridge.feed.rows import Coding
from landbridge.feed.vectors import Texts
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.study.examples import Examples
from landbridge.study.pointwise import PointStudy
from landbridge.study.protocol import Trial
from landbridge.train.points import FINETUNE

ASKED = (
    "encode={text: title}",
    "pointwise.contenders.memory.text={neighbours: 5}",
    "pointwise.contenders.memory.folds=2",
    "scores.contenders=[constant, blend_text_across]",
)
ITEMS = sorted(set(table_of(1500, folds=6)["item_id"].to_pylist()))


def write(lake: Lake, name: str, **columns) -> None:
    schema = arrow_schema(lake.contract(name))
    lake.create(name)
    write_deltalake(lake.path(name), pa.table({one: columns[one] for one in schema.names}).cast(schema), mode="append")


def encode(lake: Lake, items: list[str], revision: str, generation: int = 1) -> None:
    """Write what the step writes: vectors of a revision, and that it ran."""
    count, draw = len(items), np.random.default_rng(generation)
    encoder, vectors = lake.config.encode.model, draw.standard_normal((count, 4)).astype(np.float32)
    same = {name: [value] * count for name, value in (("encoder", encoder), ("revision", revision), ("ds", DS))}
    write(lake, "item_vectors", item_id=items, text_hash=items, vector=list(vectors), **same)
    ledger = {name: [""] for name in lake.contract("ledger").columns}
    ledger |= {
        "ds": [DS],
        "step": ["encode"],
        "generation": [generation],
        "notes": [json.dumps({"revision": revision})],
    }
    write(lake, "ledger", **ledger | {"seconds": [0.0], "peak_memory_mb": [0.0]})


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night that ran without vectors; then texts of all items but one, and one that nobody has had, were encoded."""
    night = ready(tmp_path_factory.mktemp("texts"), None, *ASKED)
    assert Texts.read(night.lake, night.config) is None
    assert not list(night.models.glob("fits/*/*/blend_text_across"))
    assert list(night.models.glob("fits/*/*/constant"))
    encode(night.lake, [*ITEMS[:0:-1], "new"], "one")
    fit(night)
    return night


def test_they_are_read_by_name_of_the_revision_that_ran_last(night):
    first = Texts.read(night.lake, night.config)
    assert first.names == tuple(sorted(first.names))
    assert "new" in first.names
    table = night.lake.read("item_vectors", columns=["item_id", "vector"]).to_pylist()
    by_name = {row["item_id"]: row["vector"] for row in table}
    np.testing.assert_array_equal(first.vectors.vector_MD, [by_name[name] for name in first.names])
    np.testing.assert_array_equal(first.vectors.items, np.arange(1, len(table) + 1))


def test_a_fit_of_the_night_reads_them_and_its_ids_are_saved_beside_it(night):
    assert "item_vectors" in FINETUNE.reads
    for name in "ABC":
        folder = night.models / "fits" / name
        coding = Coding.load(folder / CODING)
        assert coding.texts == Texts.read(night.lake, night.config).names
        (saved,) = folder.glob("*/blend_text_across")
        rows = Questions.read(night.lake, DS).rows((SCORED,), coding)
        missing = coding.values["item"].index(ITEMS[0]) + 1
        np.testing.assert_array_equal(rows.text_N == 0, rows.item_N == missing)
        fitted = load_point(saved)
        assert "near_text.label" in fitted.names
        assert np.isfinite(fitted.probability(rows)).all()


def test_a_study_depends_on_the_vectors_where_they_are_read(night):
    examples, texts = Examples.of(table_of(300, folds=3), "rows"), Texts.read(night.lake, night.config)
    encode(night.lake, list(texts.names), "two", generation=2)
    newer = Texts.read(night.lake, night.config)
    assert newer.names == texts.names
    studies = [PointStudy(night.config, examples, one) for one in (None, texts, newer)]
    hashes = {
        name: {json.dumps(study.fingerprint(Trial(name, 0, "0"))) for study in studies}
        for name in ("blend_across", "blend_text_across")
    }
    assert {name: len(found) for name, found in hashes.items()} == {"blend_across": 1, "blend_text_across": 3}


def test_a_study_without_vectors_says_what_it_goes_without(night):
    study = PointStudy(night.config, Examples.of(table_of(300, folds=3), "rows"))
    scored = study.run(Trial("blend_text_across", 0, "0"))
    assert scored.rows is None
    assert "no text is encoded" in scored.left_out[0]
