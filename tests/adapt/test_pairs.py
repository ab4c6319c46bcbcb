"""Which pairs are drawn: of whom, of when, and of what is never learned from."""

from __future__ import annotations

import datetime as dt
import zlib
from types import SimpleNamespace

import pytest
from tests.encode.titles import ON
from tests.logs import shop_config

from landbridge.adapt.pairs import pairs_of, taken, write
from landbridge.config.study import ColdItems
from landbridge.config.tuned import TuneEncoder
from landbridge.errors import ConfigError
from landbridge.feed.pairs import Pairs

AT = dt.datetime(2011, 3, 7, 9)
COLD = ColdItems(one_in=5)


def log(spark, rows, names="user_id string, item_id string, scenario string, had boolean, part string"):
    moments = [(*row, AT + dt.timedelta(minutes=number)) for number, row in enumerate(rows)]
    return spark.createDataFrame(moments, f"{names}, ts timestamp")


def texts(spark, *items):
    return spark.createDataFrame([(item, f"text {item}") for item in items], "item_id string, text string")


def drawn(spark, rows, **settings):
    chosen = TuneEncoder(**{"window": 1, **settings})
    items = sorted({row[1] for row in rows})
    frame = pairs_of(log(spark, rows).select("user_id", "ts", "item_id"), texts(spark, *items), chosen)
    return sorted((row["first"][-1], row["second"][-1]) for row in frame.collect())


def user(items, name="u", scenario="Food", part="train", had=True):
    return [(name, item, scenario, had, part) for item in items]


def test_pairs_are_of_one_user_and_at_most_the_window_apart(spark):
    rows = [*user("abc"), *user("xy", "v")]
    assert drawn(spark, rows) == [("a", "b"), ("b", "c"), ("x", "y")]
    assert drawn(spark, rows, window=2) == [("a", "b"), ("a", "c"), ("b", "c"), ("x", "y")]


def test_an_item_is_no_partner_of_itself_and_a_pair_counts_once(spark):
    assert drawn(spark, user("aabab")) == [("a", "b"), ("b", "a")]


def test_a_user_has_no_more_pairs_than_may_be(spark):
    assert len(drawn(spark, user("abcdefgh"), pairs_per_user=3)) == 3


def config_of(tmp_path, *overrides):
    return shop_config(tmp_path, tmp_path, ON, *overrides)


def items_of(spark, items):
    return spark.createDataFrame([(item, "t") for item in items], "item_id string, title string")


def kept(spark, rows, config):
    return sorted(row["item_id"] for row in taken(log(spark, rows), items_of(spark, "abcdefgh"), config, "c").collect())


def test_what_a_user_has_not_is_not_learned_from(spark, tmp_path):
    assert kept(spark, [*user("ab"), *user("c", had=False)], config_of(tmp_path)) == ["a", "b"]


def test_of_declared_parts_the_part_train_alone_is_learned_from(spark, tmp_path):
    rows = [*user("ab"), *user("c", part="validation"), *user("d", part="test")]
    part = SimpleNamespace(split=SimpleNamespace(part="p"), study=SimpleNamespace(cold_items=None))
    assert kept(spark, rows, part) == ["a", "b"]


def test_cold_items_and_the_users_who_are_judged_by_them_are_left_out(spark, tmp_path):
    """Also the items that a search is judged on, and a user of two scenarios wherever his other events lie."""
    both = [*user("ab", "both"), *user("c", "both", "Kitchen", part="test")]
    rows = [*user("abcdefgh"), *both]
    warm = [item for item in "abcdefgh" if zlib.crc32(item.encode()) % COLD.one_in > 1]
    assert 0 < len(warm) < 8
    for part in ("p", None):
        given = SimpleNamespace(split=SimpleNamespace(part=part), study=SimpleNamespace(cold_items=COLD))
        assert kept(spark, rows, given) == warm


def test_an_attribute_that_items_lack_is_a_sentence(spark, tmp_path):
    given = SimpleNamespace(split=SimpleNamespace(part=None), study=SimpleNamespace(cold_items=ColdItems(by="ean")))
    with pytest.raises(ConfigError, match="ean is no attribute of items"):
        kept(spark, user("ab"), given)


def test_the_files_hold_about_as_many_as_may_be_and_read_alike_on_every_rank(spark, tmp_path):
    rows = [one for name in range(60) for one in user("abcdefgh", str(name))]
    settings = TuneEncoder(window=1, most_pairs=200, least_pairs=2, held_out=3)
    pairs = pairs_of(log(spark, rows).select("user_id", "ts", "item_id"), texts(spark, *"abcdefgh"), settings)
    learned, held = write(pairs, settings, tmp_path / "pairs")
    assert 150 <= learned + held <= 250
    found = [Pairs.read(tmp_path / "pairs", held=one) for one in (False, True)]
    assert [len(one) for one in found] == [learned, held]
    assert not set(found[0].user_P) & set(found[1].user_P)
    write(pairs.repartition(3), settings, tmp_path / "again")
    again = Pairs.read(tmp_path / "again", held=False)
    assert again.texts == found[0].texts
    assert (again.first_P == found[0].first_P).all()
    assert (again.user_P == found[0].user_P).all()
