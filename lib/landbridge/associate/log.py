"""Who took what and where, with the vocabulary's ids: what the kinds of association are made of.

A frame of associations has the columns item and other (ids) and weight.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def log_of(examples: DataFrame, vocabulary: DataFrame) -> DataFrame:
    """Return user_id, ts, item and scenario of the examples after which a user has the item."""
    had = examples.where("had").select("user_id", "ts", "item_id", F.col("scenario").alias("scenario_name"))
    items, scenarios = ids_of(vocabulary, "item_id", "item"), ids_of(vocabulary, "scenario", "scenario")
    named = had.join(items, "item_id").join(F.broadcast(scenarios), F.col("scenario_name") == F.col("scenario_value"))
    return named.select("user_id", "ts", "item", "scenario")


def ids_of(vocabulary: DataFrame, field: str, name: str) -> DataFrame:
    """Return the values of a field of the vocabulary, as `item_id` or `<name>_value`, and their ids as `name`."""
    value = field if field == "item_id" else f"{name}_value"
    return vocabulary.where(F.col("field") == field).select(F.col("value").alias(value), F.col("id").alias(name))


def homes_of(log: DataFrame) -> DataFrame:
    """Return item and home: the scenario in which most users took it, ties by scenario id."""
    users = log.groupBy("item", "scenario").agg(F.count_distinct("user_id").alias("users"))
    most = F.max_by("scenario", F.struct("users", -F.col("scenario")))
    return users.groupBy("item").agg(most.alias("home"))


def cut(edges: DataFrame, homes: DataFrame, count: int) -> DataFrame:
    """Return the `count` heaviest others of every item at home in each scenario, ties by id."""
    others = homes.select(F.col("item").alias("other"), F.col("home").alias("other_home"))
    ordered = Window.partitionBy("item", "other_home").orderBy(F.desc("weight"), "other")
    placed = edges.join(others, "other").withColumn("place", F.row_number().over(ordered))
    return placed.where(F.col("place") <= count).select("item", "other", "weight")


def named(edges: DataFrame, homes: DataFrame, vocabulary: DataFrame) -> DataFrame:
    """Return item_id, scenario, other_id, other_scenario, kind and weight, of items that somebody took."""
    items = homes.join(ids_of(vocabulary, "item_id", "item"), "item")
    scenarios = F.broadcast(ids_of(vocabulary, "scenario", "home"))
    known = items.join(scenarios, "home").select("item", "item_id", F.col("home_value").alias("scenario"))
    others = known.toDF("other", "other_id", "other_scenario")
    found = edges.join(known, "item").join(others, "other")
    return found.select("item_id", "scenario", "other_id", "other_scenario", "kind", "weight")
