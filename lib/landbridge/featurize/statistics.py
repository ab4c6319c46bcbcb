"""Daily sufficient statistics: counts and sums that whoever fits adds up over the training days."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.schema import Config

# Decimals add up to the same sum in every order, doubles do not; a value beyond them counts as missing.
_EXACT = "decimal(38,9)"


def daily_statistics(events: DataFrame, config: Config) -> DataFrame:
    """Return ds, feature, scenario, value, count, sum, sum_squares.

    Feature `item`: by item, count is the events after which the user has it, sum and sum_squares those of the outcome
    of all its events. `item.<name>`: by item, of the configured expression. `user.<name>`: of the examples' features.

    Parameters
    ----------
    events
        Columns ds, scenario, item_id, outcome, had, item_<name>, and the user features.
    """
    told = [_told("item", F.col("item_id"), F.col("outcome"), F.col("had"))]
    told += [_told(f"item.{name}", F.col("item_id"), F.col(f"item_{name}")) for name in config.features.item]
    told += [_told(f"user.{name}", F.lit(""), F.col(name)) for name in config.features.user]
    rows = events.select("ds", "scenario", F.explode(F.array(*told)).alias("told")).select("ds", "scenario", "told.*")
    exact, square = F.col("x").try_cast(_EXACT), (F.col("x") * F.col("x")).try_cast(_EXACT)
    sums = (
        rows.withColumns({"x": exact, "xx": F.when(exact.isNotNull(), square)})
        .groupBy("ds", "feature", "scenario", "value")
        .agg(
            F.count_if(F.col("counts") & F.col("x").isNotNull()).alias("count"),
            F.sum("x").alias("sum"),
            F.sum("xx").alias("sum_squares"),
        )
    )
    return sums.where(F.col("sum").isNotNull()).withColumn("sum_squares", F.coalesce("sum_squares", F.lit(0)))


def _told(feature: str, value: Column, x: Column, counts: Column | None = None) -> Column:
    return F.struct(
        F.lit(feature).alias("feature"),
        value.alias("value"),
        x.cast("double").alias("x"),
        (F.lit(True) if counts is None else counts).alias("counts"),
    )
