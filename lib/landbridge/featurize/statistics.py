"""Daily sufficient statistics: counts and sums that whoever fits adds up over the training days."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.schema import Config

# Decimals add up to the same sum in every order, doubles do not; a value beyond them counts as missing.
_EXACT = "decimal(38,9)"
_ROW = (
    "ds date, scenario string, value string, feature string, count bigint, sum decimal(38,9), sum_squares decimal(38,9)"
)


def daily_statistics(events: DataFrame, config: Config) -> DataFrame:
    """Return ds, feature, scenario, value, count, sum, sum_squares.

    Feature `item`: by item, count is the events after which the user has it, sum and sum_squares those of the outcome
    of all its events. `item.<name>`: by item, of the configured expression. `user.<name>`: of the examples' features.

    Parameters
    ----------
    events
        Columns ds, scenario, item_id, outcome, had, item_<name>, and the user features.
    """
    had = F.when(F.col("had"), F.col("outcome"))
    of_items = {"item": (F.col("outcome"), had)}
    of_items |= {f"item.{name}": (F.col(f"item_{name}"), F.col(f"item_{name}")) for name in config.features.item}
    of_users = {f"user.{name}": (F.col(name), F.col(name)) for name in config.features.user}
    items = _sums(events.withColumn("value", F.col("item_id")), of_items)
    return items.unionByName(_sums(events.withColumn("value", F.lit("")), of_users))


def _sums(events: DataFrame, told: Mapping[str, tuple[Column, Column]]) -> DataFrame:
    """Return statistics by day, scenario and value of each feature, told as what is summed and what is counted.

    All features are summed side by side in one pass, and set one below the other afterwards, when there are few rows.
    """
    if not told:
        return events.sparkSession.createDataFrame([], _ROW)
    sums = []
    for position, (x, counted) in enumerate(told.values()):
        exact = x.cast("double").try_cast(_EXACT)
        square = F.when(exact.isNotNull(), (x.cast("double") * x.cast("double")).try_cast(_EXACT))
        sums += [
            F.count(F.when(exact.isNotNull(), counted)).alias(f"count{position}"),
            F.sum(exact).alias(f"sum{position}"),
            F.sum(square).alias(f"squares{position}"),
        ]
    rows = events.groupBy("ds", "scenario", "value").agg(*sums)
    each = (
        F.struct(
            F.lit(name).alias("feature"),
            F.col(f"count{position}").alias("count"),
            F.col(f"sum{position}").alias("sum"),
            F.coalesce(F.col(f"squares{position}"), F.lit(0)).alias("sum_squares"),
        )
        for position, name in enumerate(told)
    )
    return rows.select("ds", "scenario", "value", F.inline(F.array(*each))).where(F.col("sum").isNotNull())
