"""Bad input gives a sentence that says what, where and what to do; nothing is written."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from tests.logs import HEADER, Shop, day, line, lines

from landbridge.clean.check import check
from landbridge.clean.step import CLEAN
from landbridge.errors import ConfigError, DataError, LakeError


def refused(shop: Shop, *words: str) -> None:
    """Cleaning day 0 stops with a sentence that holds the words, and writes nothing."""
    with pytest.raises(DataError) as error:
        shop.run(day(0), CLEAN)
    for word in words:
        assert word in str(error.value), str(error.value)
    assert "\n" not in str(error.value)
    assert not shop.lake.exists("events")


def test_a_missing_day_names_the_path_and_the_way_out(shop: Shop) -> None:
    refused(shop, str(shop.path(day(0))), "data.reader.closed")


def test_a_truncated_file_is_named(shop: Shop) -> None:
    path = shop.write(day(0), lines(day(0), 3000, items=900))
    path.write_bytes(path.read_bytes()[:-2000])
    refused(shop, path.name, "fetch")


def test_a_file_that_is_not_compressed_is_named(shop: Shop) -> None:
    shop.path(day(0)).write_text("InvoiceNo\n1\n")
    refused(shop, shop.path(day(0)).name)


def test_another_header_is_named_beside_the_declared_one(shop: Shop) -> None:
    shop.write(day(0), header=("Invoice", *HEADER[1:]))
    refused(shop, f"{day(0)}.csv.gz", "header", "data.reader.header", "InvoiceNo")


def test_another_encoding_shows_the_row_and_the_option(shop: Shop) -> None:
    shop.write(day(0), [*lines(day(0)), line(day(0), title="CAFÉ")], encoding="latin-1")
    refused(shop, f"{day(0)}.csv.gz", "CAF\ufffd", "data.reader.options.encoding")


def test_a_day_whose_rows_are_all_bad_shows_the_counts_by_rule(shop: Shop) -> None:
    shop.write(day(0), [line(day(0), user="", minute=n) for n in range(3)])
    refused(shop, str(day(0)), "no_customer 3", "data.max_quarantined")


def test_a_file_without_rows_is_refused(shop: Shop) -> None:
    shop.write(day(0), [])
    refused(shop, str(day(0)), "no rows")


def test_numbers_that_are_text_go_to_quarantine(shop: Shop) -> None:
    shop.write(day(0), [*lines(day(0)), line(day(0), quantity="three"), line(day(0), price="free", quantity="-1")])
    shop.run(day(0), CLEAN)
    assert sorted(row["rules"] for row in shop.rows("quarantine")) == [
        ["quantity_not_positive", "unparsed:price"],
        ["unparsed:quantity"],
    ]
    assert len(shop.rows("events")) == 12


def test_lines_of_another_length_go_to_quarantine(shop: Shop) -> None:
    path = shop.write(day(0))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"1,2,3\n1,2,3,4,5,6,7,8,9,10\n"))
    shop.run(day(0), CLEAN)
    assert [row["rules"] for row in shop.rows("quarantine")] == [["malformed"], ["malformed"]]


def test_an_expression_that_does_not_parse_stops_check_and_clean(shop: Shop) -> None:
    shop.write(day(0))
    shop.with_config("features.user.log_lines='ln(1 + '")
    with pytest.raises(ConfigError, match=re.escape("features.user.log_lines")):
        check(shop.config, shop.spark, day(0))
    shop.with_config("data.columns.quantity.sql=Quantitee")
    with pytest.raises(ConfigError, match=re.escape("data.columns.quantity.sql")):
        shop.run(day(0), CLEAN)
    assert not shop.lake.exists("events")


def test_check_tells_what_the_rules_and_features_would_do(shop: Shop) -> None:
    shop.write(day(0), [*lines(day(0)), line(day(0), user="")])
    told = "\n".join(check(shop.config, shop.spark, day(0)))
    assert "13 rows: 12 events, 1 in quarantine" in told
    assert "rule no_customer: 1 of 13 rows" in told
    assert "features.had: mean 1" in told
    assert not shop.lake.exists("events")


def test_check_tells_the_neighbours_of_a_newcomer_or_that_it_is_none(shop: Shop) -> None:
    shop.write(day(0))
    shop.with_config("newcomers={Sweden: {audience: size(had) > 0}, United Kingdom: {}}")
    told = "\n".join(check(shop.config, shop.spark, day(0)))
    assert "newcomers.Sweden: no event in the sample; neighbours that have: " in told
    assert "newcomers.United Kingdom: has events already" in told
    shop.with_config("newcomers={Sweden: {like: {Atlantis: 1}}}")
    with pytest.raises(ConfigError, match="the sample has none of them, so it is nobody's neighbour"):
        check(shop.config, shop.spark, day(0))
    shop.with_config("newcomers={Sweden: {catalogue: colour = 'red'}}")
    with pytest.raises(ConfigError, match=re.escape("newcomers.Sweden.catalogue")):
        check(shop.config, shop.spark, day(0))


def test_a_lake_that_cannot_be_written_is_a_sentence(shop: Shop) -> None:
    """A file stands where the lake should be: what root, who may write everywhere, meets as a read-only disk."""
    shop.write(day(0))
    root = Path(shop.config.root)
    root.mkdir()
    (root / "lake").write_text("")
    with pytest.raises(LakeError, match=f"{root}/lake.*(free|unlock|folder)"):
        shop.run(day(0), CLEAN)
