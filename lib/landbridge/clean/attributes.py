"""Items and users: a row whenever their attributes change, so that they can be read as of then."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

_FIRST = -(2**63)
"""Before whatever events say, however many there are."""


def changes(
    events: DataFrame,
    known: DataFrame,
    since: dt.date,
    key: str,
    attributes: dict[str, Column],
    listed: DataFrame | None = None,
) -> DataFrame:
    """Return the rows with `valid_from` >= since: key, valid_from and the attributes.

    A day's attributes are those that its catalogue lists, else the most frequent ones among its events (of several
    listed, or equally frequent ones, the smallest).

    Parameters
    ----------
    events
        All events of the days from `since` on.
    known
        The table as it is; what it says before `since` decides what is a change.
    listed
        What catalogues say of the days from `since` on: key, valid_from and the attributes.
    """
    names = list(attributes)
    daily = events.where(F.col("ds") >= F.lit(since)).select(key, F.col("ds").alias("valid_from"), _tuple(attributes))
    before = (
        known.where(F.col("valid_from") < F.lit(since))
        .groupBy(key)
        .agg(F.max("valid_from").alias("valid_from"), F.max_by(_struct(names), F.col("valid_from")).alias("is"))
    )
    ranked = _counted(daily, key)
    if listed is not None:
        told = listed.select(key, "valid_from", _struct(names).alias("is"), F.lit(_FIRST).alias("rank"))
        ranked = ranked.unionByName(told)
    every = _best(ranked, key).unionByName(before)
    order = Window.partitionBy(key).orderBy("valid_from")
    is_first = F.row_number().over(order) == 1
    differs = ~F.col("is").eqNullSafe(F.lag("is").over(order))
    changed = every.withColumn("changed", is_first | differs).where(
        F.col("changed") & (F.col("valid_from") >= F.lit(since))
    )
    return changed.select(key, "valid_from", *(F.col("is")[name].alias(name) for name in names))


def _counted(daily: DataFrame, key: str) -> DataFrame:
    return daily.groupBy(key, "valid_from", "is").agg((-F.count("*")).alias("rank"))


def _best(ranked: DataFrame, key: str) -> DataFrame:
    best = F.min(F.struct("rank", "is"))
    return (
        ranked.groupBy(key, "valid_from")
        .agg(best.alias("best"))
        .select(key, "valid_from", F.col("best.is").alias("is"))
    )


def _tuple(attributes: dict[str, Column]) -> Column:
    if not attributes:
        return F.struct(F.lit(True).alias("exists")).alias("is")
    return F.struct(*(value.cast("string").alias(name) for name, value in attributes.items())).alias("is")


def _struct(names: list[str]) -> Column:
    return F.struct(*(F.col(name) for name in names)) if names else F.struct(F.lit(True).alias("exists"))
