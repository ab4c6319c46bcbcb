"""How the lists or scores of a day moved from one version of their table to another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import functions as F

from landbridge.lake.spark import SparkLake

_VALUES = {"recommendations": "items.item_id", "scores": "score"}
"""What of a row is compared: a list by its items and their order, a score by its value."""


@dataclass(frozen=True)
class Moved:
    """Rows of a scenario: those that are there now, those of them that are new or differ, those that are gone."""

    rows: int
    differ: int
    gone: int


def moved(lake: SparkLake, table: str, ds: dt.date, before: int) -> dict[str, Moved]:
    """Return by scenario how the day's rows of a table differ from those of its version `before`."""
    key = lake.lake.contract(table).key[-1]
    then, now = (
        SparkLake(lake.spark, of)
        .table(table)
        .where(F.col("ds") == F.lit(ds))
        .select("scenario", key, F.col(_VALUES[table]).alias(name))
        for name, of in (("then", lake.lake.pinned(**{table: before})), ("now", lake.lake))
    )
    there = F.col("now").isNotNull()
    counts = (
        then.join(now, ["scenario", key], "full")
        .groupBy("scenario")
        .agg(
            F.count_if(there).alias("rows"),
            F.count_if(there & ~F.col("then").eqNullSafe(F.col("now"))).alias("differ"),
            F.count_if(~there).alias("gone"),
        )
    )
    found = counts.orderBy("scenario").collect()  # one row a scenario
    return {row.scenario: Moved(row["rows"], row["differ"], row["gone"]) for row in found}
