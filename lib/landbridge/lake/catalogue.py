"""The catalogue of every scenario: what its lists may hold, by the configuration's expression."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from landbridge.config.newcomers import Newcomer
from landbridge.lake.expressions import expression
from landbridge.lake.spark import SparkLake


def catalogues(lake: SparkLake, ds: dt.date, newcomers: Mapping[str, Newcomer] = MappingProxyType({})) -> DataFrame:
    """Return scenario, item_id of every scenario's catalogue at the end of `ds`, newcomers after those with a log.

    ``recommend.catalogue`` sees scenario, item_id, events (with `had`, in the scenario, up to `ds`) and the item's
    attributes as of `ds`.

    Raises
    ------
    ConfigError
        If the expression does not resolve.
    """
    counted, attributes = _counted(lake.table("statistics"), ds), _attributes(lake.table("items"), ds)
    found = allowed(_pairs(counted, attributes), lake.lake.config.recommend.catalogue)
    events = counted.groupBy("item_id").agg(F.sum("events").alias("events"))
    items = attributes.join(events, "item_id", "left").withColumn("events", F.coalesce("events", F.lit(0)))
    for name, newcomer in newcomers.items():
        own = items.where(expression(items, newcomer.catalogue, f"newcomers.{name}.catalogue"))
        found = found.unionByName(own.select(F.lit(name).alias("scenario"), "item_id"))
    return found


def allowed(pairs: DataFrame, sql: str) -> DataFrame:
    """Return scenario, item_id of the (scenario, item) pairs for which the expression holds."""
    return pairs.where(expression(pairs, sql, "recommend.catalogue")).select("scenario", "item_id")


def _counted(statistics: DataFrame, ds: dt.date) -> DataFrame:
    """Return scenario, item_id, events: how often users came to have the item up to `ds`."""
    of_items = statistics.where((F.col("ds") <= F.lit(ds)) & (F.col("feature") == "item"))
    return of_items.groupBy("scenario", F.col("value").alias("item_id")).agg(F.sum("count").alias("events"))


def _attributes(items: DataFrame, ds: dt.date) -> DataFrame:
    """Return one row an item: its attributes as of `ds`."""
    newest = Window.partitionBy("item_id").orderBy(F.col("valid_from").desc())
    known = items.where(F.col("valid_from") <= F.lit(ds)).withColumn("newest", F.row_number().over(newest))
    return known.where(F.col("newest") == 1).drop("newest", "valid_from")


def _pairs(counted: DataFrame, attributes: DataFrame) -> DataFrame:
    """Return every (scenario, item): an expression may admit items that have no event in the scenario yet.

    The scenarios travel as one array, so no two tables are crossed.
    """
    scenarios = counted.agg(F.sort_array(F.collect_set("scenario")).alias("all_scenarios"))
    everywhere = (
        attributes.join(F.broadcast(scenarios)).withColumn("scenario", F.explode("all_scenarios")).drop("all_scenarios")
    )
    joined = everywhere.join(counted, ["scenario", "item_id"], "left")
    return joined.withColumn("events", F.coalesce("events", F.lit(0)))
