"""Each rule against values computed by hand. No lake: rows in, rows out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.logs import HEADER, Line, day, line, shop_config

from landbridge.clean.parse import BROKE, CHANGED
from landbridge.clean.read import CORRUPT, DAY, FILE
from landbridge.clean.rows import cleaned
from landbridge.config import Config
from landbridge.errors import ConfigError

D = day(0)


def clean(spark: SparkSession, tmp_path: Path, rows: list[Line], *overrides: str) -> list[dict[str, Any]]:
    """Clean rows of one day, in the order of their minutes, by the rules given."""
    config = shop_config(tmp_path, tmp_path, *overrides)
    return sorted(
        (row.asDict() for row in frame(spark, config, rows).collect()),
        key=lambda row: (str(row["ts"]), row["item_id"] or ""),
    )


def frame(spark: SparkSession, config: Config, rows: list[Line]) -> Any:
    schema = ", ".join(f"{name} string" for name in HEADER)
    raw = spark.createDataFrame([tuple(row) for row in rows], schema)
    return cleaned(
        raw.select("*", F.lit(None).cast("string").alias(CORRUPT), F.lit("f").alias(FILE), F.lit(D).alias(DAY)), config
    )


def rules(*given: str) -> str:
    return f"data.rules=[{', '.join(given)}]"


def test_a_constant_fills_what_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    rows = [line(D, minute=0, title=""), line(D, minute=1, title="mug")]
    found = clean(spark, tmp_path, rows, rules("{name: title_missing, fill: {column: title, constant: '-'}}"))
    assert [row["title"] for row in found] == ["-", "Mug"]
    assert [row[f"{CHANGED}title_missing"] for row in found] == [True, False]


def test_the_median_is_of_the_same_day_and_item_and_leaves_removed_rows_out(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [line(D, "10001", minute=n, price=price) for n, price in enumerate(["1", "2", "10", "", "1000"])]
    rows += [line(D, "10002", minute=9, price="")]
    found = clean(
        spark,
        tmp_path,
        rows,
        rules("{name: absurd, remove: price > 500}", "{name: price_missing, fill: {column: price, median: true}}"),
    )
    assert [row["price"] for row in found] == [1, 2, 10, 2, 1000, None]


def test_interpolation_is_linear_in_time_and_takes_the_one_neighbour_at_an_edge(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [line(D, minute=n, price=price) for n, price in ((0, ""), (10, "1"), (15, ""), (30, "5"), (60, ""))]
    found = clean(spark, tmp_path, rows, rules("{name: price_missing, fill: {column: price, interpolate: true}}"))
    assert [row["price"] for row in found] == [1, 1, 2, 5, 5]


def test_declared_bounds_clip(spark: SparkSession, tmp_path: Path) -> None:
    rows = [line(D, minute=n, quantity=str(q)) for n, q in enumerate([-5, 1, 50, 101])]
    found = clean(spark, tmp_path, rows, rules("{name: quantity_outlier, clip: {column: quantity, low: 1, high: 100}}"))
    assert [row["quantity"] for row in found] == [1, 1, 50, 100]
    assert [row[f"{CHANGED}quantity_outlier"] for row in found] == [True, False, False, True]


def test_quantiles_clip_over_the_whole_day(spark: SparkSession, tmp_path: Path) -> None:
    rows = [line(D, str(10000 + n), minute=n, price=str(n)) for n in range(11)]
    found = clean(spark, tmp_path, rows, rules("{name: price_outlier, clip: {column: price, quantiles: [0.1, 0.9]}}"))
    assert [row["price"] for row in found] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


def test_fences_are_quartiles_plus_and_minus_k_interquartile_ranges_of_the_item(
    spark: SparkSession, tmp_path: Path
) -> None:
    # Quartiles of 1, 2, 3, 4, 100 are 2 and 4, so the fences with k = 1 are 0 and 6.
    rows = [line(D, minute=n, price=price) for n, price in enumerate(["1", "2", "3", "4", "100"])] + [
        line(D, "10009", minute=9, price="100")
    ]
    found = clean(
        spark, tmp_path, rows, rules("{name: price_outlier, clip: {column: price, fences: 1.0, by: [item_id]}}")
    )
    assert [row["price"] for row in found] == [1, 2, 3, 4, 6, 100]


def test_all_rules_that_a_row_breaks_are_listed_and_later_rules_see_what_earlier_ones_changed(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [line(D, minute=0, user="", quantity="-1"), line(D, minute=1, quantity="3")]
    found = clean(
        spark,
        tmp_path,
        rows,
        rules(
            "{name: nobody, remove: user_id is null or user_id = ''}",
            "{name: negative, remove: quantity < 0}",
            "{name: lift, clip: {column: quantity, low: 5}}",
            "{name: high, remove: quantity >= 5}",
        ),
    )
    assert [
        [name.removeprefix(BROKE) for name, value in row.items() if name.startswith(BROKE) and value] for row in found
    ] == [["nobody", "negative"], ["high"]]


def test_a_number_that_is_text_and_a_foreign_day_are_broken_rules(spark: SparkSession, tmp_path: Path) -> None:
    rows = [
        line(D, minute=0, quantity="three"),
        line(D, minute=1, at=f"{day(1)} 00:00:00"),
        line(D, minute=2, at="noon"),
    ]
    found = [
        {name.removeprefix(BROKE) for name, value in row.items() if name.startswith(BROKE) and value}
        for row in clean(spark, tmp_path, rows, rules())
    ]
    assert sorted(map(sorted, found)) == [["unparsed:quantity"], ["unparsed:ts"], ["wrong_day"]]


def test_local_wall_clock_becomes_utc_and_an_offset_in_the_text_wins(spark: SparkSession, tmp_path: Path) -> None:
    rows = [line(D, minute=0, at=f"{D} 12:00:00"), line(D, "10002", minute=1, at=f"{D}T12:00:00+09:00")]
    found = clean(spark, tmp_path, rows, rules(), "data.time_zone=America/New_York")
    assert sorted(f"{row['ts']:%H:%M}" for row in found) == ["03:00", "17:00"]


def test_a_value_that_no_rule_removed_and_nobody_filled_is_missing(spark: SparkSession, tmp_path: Path) -> None:
    found = clean(spark, tmp_path, [line(D, item="")], rules())
    assert found[0]["__removed"]
    assert found[0][f"{BROKE}missing:item_id"]


def test_an_expression_that_does_not_parse_names_its_key_and_the_columns(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"data\.rules\[0\] \(bad\)\.remove.*`quantity \+\+\+ `?.*columns here: .*user_id"
    ):
        clean(spark, tmp_path, [line(D)], rules("{name: bad, remove: 'quantity +++ '}"))
    with pytest.raises(ConfigError, match=r"`quantitee < 0` does not work.*quantitee"):
        clean(spark, tmp_path, [line(D)], rules("{name: bad, remove: quantitee < 0}"))
