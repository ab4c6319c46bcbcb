"""How the lists of a day moved from one version of the table to another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import functions as F

from landbridge.lake.spark import SparkLake
from landbridge.recommend.publish import TABLE


@dataclass(frozen=True)
class Moved:
    """Lists of a scenario: those that are there now, those of them that are new or differ, those that are gone."""

    lists: int
    differ: int
    gone: int


def moved(lake: SparkLake, ds: dt.date, before: int) -> dict[str, Moved]:
    """Return by scenario how the day's lists differ from those of the table's version `before`.

    Two lists differ if they hold other items, or the same in another order.
    """
    then, now = (
        SparkLake(lake.spark, of)
        .table(TABLE)
        .where(F.col("ds") == F.lit(ds))
        .select("scenario", "user_id", F.col("items.item_id").alias(name))
        for name, of in (("then", lake.lake.pinned(**{TABLE: before})), ("now", lake.lake))
    )
    there = F.col("now").isNotNull()
    counts = (
        then.join(now, ["scenario", "user_id"], "full")
        .groupBy("scenario")
        .agg(
            F.count_if(there).alias("lists"),
            F.count_if(there & ~F.col("then").eqNullSafe(F.col("now"))).alias("differ"),
            F.count_if(~there).alias("gone"),
        )
    )
    rows = counts.orderBy("scenario").collect()  # one row a scenario
    return {row.scenario: Moved(row["lists"], row["differ"], row["gone"]) for row in rows}
