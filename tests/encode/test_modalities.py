"""Vectors that another pipeline made: what is joined, what is not again, what is bad, and nights without them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from tests.logs import Shop, day, line

from landbridge.clean.step import CLEAN
from landbridge.encode.check import check
from landbridge.encode.step import ENCODE_MODALITIES as ENCODE
from landbridge.errors import ConfigError

DATED = "modalities={image: {path: '{logs}/image-{ds}', item: sku, vector: embedding, width: 3}}"
GOOD = {"10000": [3.0, 0.0, 4.0], "10001": [0.0, 1.0, 0.0], "10002": [1e5, 0.0, 0.0]}
TITLES = ["[3, 4]", "no vector", "[1, 2, 3]", "[0.5, 0.5]", "mug"]
BAD = [
    (None, [1.0, 0.0, 0.0]),
    ("10003", None),
    ("10003", [1.0, 2.0]),
    ("10003", [1.0, 2.0]),
    ("10003", [1.0, float("nan"), 0.0]),
    ("10003", [1.0, float("inf"), 0.0]),
    ("10003", [1.0, None, 0.0]),
    ("10003", [0.0, 0.0, 0.0]),
]
EXPECTED = {
    "no_item:image": 1,
    "no_vector:image": 1,
    "width:image": 2,
    "not_finite:image": 3,
    "zero:image": 1,
    "repeated:image": 1,
}


def table_of(rows):
    return pa.table(
        {
            "sku": pa.array([item for item, _ in rows], pa.string()),
            "embedding": pa.array([vector for _, vector in rows], pa.list_(pa.float64())),
        }
    )


def deliver(shop, number, rows):
    folder = shop.logs / f"image-{day(number)}"
    folder.mkdir()
    pq.write_table(table_of(list(rows)), folder / "part-0.parquet")
    return folder


def vectors(shop):
    return {row["item_id"]: np.array(row["vector"]) for row in shop.rows("item_vectors")}


def unit(vector):
    return np.array(vector) / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def cleaned(spark, tmp_path_factory):
    """A shop of two days without vectors; not to be written. The titles of some items are vectors too."""
    shop = Shop(tmp_path_factory.mktemp("cleaned"), spark, (DATED,))
    for number in (0, 1):
        titles = enumerate(TITLES)
        shop.write(day(number), [line(day(number), f"1000{at}", title=title, minute=at) for at, title in titles])
    shop.run(day(1), CLEAN)
    return shop


@pytest.fixture
def shop(cleaned, spark, tmp_path):
    """A copy of it."""
    shutil.copytree(cleaned.logs, tmp_path / "logs")
    shutil.copytree(cleaned.config.root, tmp_path / "var")
    return Shop(tmp_path, spark, (DATED,))


def test_good_vectors_join_by_item_and_bad_ones_stand_in_quarantine_with_their_reason(shop):
    deliver(shop, 0, [*GOOD.items(), ("10000", [9.0, 9.0, 9.0]), ("of nobody", [1.0, 1.0, 1.0]), *BAD])
    outcome = shop.run(day(0), ENCODE)
    found = vectors(shop)
    assert set(found) == set(GOOD)
    for item in ("10001", "10002"):
        np.testing.assert_allclose(found[item], unit(GOOD[item]), atol=1e-6)
    assert any(np.allclose(found["10000"], unit(one), atol=1e-6) for one in (GOOD["10000"], [1.0, 1.0, 1.0]))
    rows = shop.rows("quarantine")
    assert {row["file"] for row in rows} == {"modalities.image"}
    assert {rule: sum(row["rules"] == [rule] for row in rows) for rule in EXPECTED} == EXPECTED
    assert sorted(row["occurrence"] for row in rows if row["rules"] == ["width:image"]) == [0, 1]
    twin = next(json.loads(row["raw"]) for row in rows if row["rules"] == ["width:image"])
    assert (twin["item_id"], twin["width"], twin["begins"]) == ("10003", 2, [1.0, 2.0])
    told = dict(outcome.notes["modalities"]["image"])
    says = told.pop("says")
    assert told == {
        "rows": 13, "written": 3, "bad": 9, "rules": EXPECTED, "unknown": 1, "have": 3, "items": 5,
    }  # fmt: skip
    assert outcome.notes["left_out"] == []
    assert (
        shop.said[-1]
        == says
        == (
            "image: 3 of 5 items have a vector, 3 of them new; 9 of 13 rows are in quarantine (no_item:image 1, "
            "no_vector:image 1, not_finite:image 3, repeated:image 1, width:image 2, zero:image 1); "
            "1 rows are of items that nothing else names, and wait for them"
        )
    )


def test_a_second_run_writes_nothing_and_one_changed_vector_one(shop):
    deliver(shop, 0, GOOD.items())
    shop.run(day(0), ENCODE)
    version, inputs = shop.lake.version("item_vectors"), ENCODE.inputs(shop.night(day(0)))
    assert shop.run(day(0), ENCODE).notes["modalities"]["image"]["written"] == 0
    assert shop.lake.version("item_vectors") == version
    assert ENCODE.inputs(shop.night(day(0))) == inputs
    deliver(shop, 1, {**GOOD, "10001": [0.0, 0.0, 2.0]}.items())
    assert ENCODE.inputs(shop.night(day(1))) != inputs
    before = vectors(shop)
    assert shop.run(day(1), ENCODE).metrics["modalities.image.written"] == 1
    after = vectors(shop)
    np.testing.assert_allclose(after["10001"], [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(after["10000"], before["10000"])
    assert len(after) == 3


def test_a_mended_delivery_takes_what_was_bad_out_of_quarantine(shop):
    folder = deliver(shop, 0, BAD)
    shop.run(day(0), ENCODE)
    assert len(shop.rows("quarantine")) == len(BAD)
    shutil.rmtree(folder)
    deliver(shop, 0, GOOD.items())
    shop.run(day(0), ENCODE)
    assert shop.rows("quarantine") == []
    assert set(vectors(shop)) == set(GOOD)


def test_without_a_delivery_the_night_goes_on_and_says_so_once(shop):
    outcome = shop.run(day(0), ENCODE)
    assert vectors(shop) == {}
    (said,) = outcome.notes["left_out"]
    assert "no new vectors of image tonight" in said
    assert "matches nothing up to 2011-03-07" in said
    assert shop.said.count(said) == 1
    deliver(shop, 0, GOOD.items())
    outcome = shop.run(day(1), ENCODE)
    assert set(vectors(shop)) == set(GOOD)
    (said,) = outcome.notes["left_out"]
    assert "of 2011-03-08, the newest is 2011-03-07" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [("vector=embeding", "modalities.image.vector"), ("vector=sku", "cannot cast"), ("item=id", "`id`")],
)
def test_a_delivery_of_other_columns_does_not_stop_the_night(shop, changed, said):
    deliver(shop, 0, GOOD.items())
    outcome = shop.with_config(DATED, f"modalities.image.{changed}").run(day(0), ENCODE)
    assert vectors(shop) == {}
    (found,) = outcome.notes["left_out"]
    assert "no new vectors of image tonight" in found
    assert said in found


def test_where_all_vectors_have_another_length_none_joins(shop):
    deliver(shop, 0, GOOD.items())
    outcome = shop.with_config(DATED, "modalities.image.width=7").run(day(0), ENCODE)
    assert outcome.notes["modalities"]["image"]["rules"] == {"width:image": 3}
    assert vectors(shop) == {}


def test_a_file_that_is_no_parquet_does_not_stop_the_night(shop):
    folder = deliver(shop, 0, GOOD.items())
    (folder / "part-0.parquet").write_bytes(b"half a file")
    assert "no new vectors of image tonight" in shop.run(day(0), ENCODE).notes["left_out"][0]


def test_a_delta_table_is_read_as_it_is_tonight(shop):
    audio = "{path: '{logs}/audio', format: delta, item: sku, vector: embedding, width: 3}"
    shop.with_config(f"modalities={{audio: {audio}}}")
    write_deltalake(str(shop.logs / "audio"), table_of(list(GOOD.items())))
    shop.run(day(0), ENCODE)
    inputs = ENCODE.inputs(shop.night(day(0)))
    write_deltalake(str(shop.logs / "audio"), table_of([("10004", [1.0, 1.0, 1.0])]), mode="append")
    assert ENCODE.inputs(shop.night(day(0))) != inputs
    assert shop.run(day(0), ENCODE).notes["modalities"]["audio"]["written"] == 1
    assert {row["encoder"] for row in shop.rows("item_vectors")} == {"audio"}
    assert set(vectors(shop)) == {*GOOD, "10004"}


def test_an_attribute_of_items_may_hold_the_vector(shop):
    shop.with_config("modalities={image: {vector: \"from_json(title, 'array<float>')\", width: 2}}")
    told = shop.run(day(0), ENCODE).notes["modalities"]["image"]
    assert (told["rows"], told["rules"], told["have"], told["items"]) == (3, {"width:image": 1}, 2, 5)
    np.testing.assert_allclose(vectors(shop)["10000"], [0.6, 0.8], atol=1e-6)


def test_another_configuration_is_another_space(shop):
    deliver(shop, 0, GOOD.items())
    shop.run(day(0), ENCODE)
    shop.with_config(DATED, "modalities.image.revision=second").run(day(0), ENCODE)
    assert len({row["revision"] for row in shop.rows("item_vectors")}) == 2
    assert len(shop.rows("item_vectors")) == 2 * len(GOOD)


def test_a_delivery_is_looked_at_before_anything_is_written(shop, spark):
    version = shop.lake.version("quarantine")
    shop.with_config(DATED, "modalities.audio={vector: \"from_json(title, 'array<float>')\", width: 2}")
    said = check(shop.config, spark, day(0))
    assert "matches nothing up to 2011-03-07" in said[0]
    assert "a night goes on without" in said[0]
    assert said[1] == "modalities.audio: from_json(title, 'array<float>') over items is an array"
    folder = deliver(shop, 0, [*GOOD.items(), *BAD])
    (told, _) = check(shop.config, spark)
    assert told.startswith(f"{folder}: 11 rows, 8 of them bad; no_item:image 1; no_vector:image 1; not_finite:image 3")
    for wrong in ("vector=embeding", "vector=sku"):
        with pytest.raises(ConfigError, match=r"modalities\.image\.vector"):
            check(shop.with_config(DATED, f"modalities.image.{wrong}").config, spark)
    assert shop.lake.version("quarantine") == version
