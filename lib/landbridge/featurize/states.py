"""Examples and histories out of baskets, and what is known of every user at the end of a day."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.schema import Config
from landbridge.featurize.baskets import end_of, user_features


def examples_of(rows: DataFrame, config: Config, since: dt.date) -> DataFrame:
    """Return an example for each event of the days from `since` on."""
    slim = _made(rows, since).select("ds", "user_id", "ts", F.explode("events").alias("event"))
    told = ["item_id", "scenario", "event_type", "outcome", "had", *(["part"] if config.split.part else [])]
    columns = (F.col(f"event.{name}") for name in told)
    return _by_day(slim.select(F.col("event.event_id").alias("example_id"), "ds", "user_id", "ts", *columns))


def histories_of(rows: DataFrame, config: Config, since: dt.date) -> DataFrame:
    """Return the history and the user features as of each moment of the days from `since` on, by scenario."""
    wanted = user_features(_made(rows, since), config, "before_")
    return _by_day(
        wanted.select(
            "ds",
            "user_id",
            "ts",
            F.explode(F.array_distinct("events.scenario")).alias("scenario"),
            F.col("before_history").alias("history"),
            *config.features.user,
        )
    )


def _made(rows: DataFrame, since: dt.date) -> DataFrame:
    return rows.where(F.col("is_new") & (F.col("ds") >= F.lit(since)))


def _by_day(rows: DataFrame) -> DataFrame:
    return rows.hint("rebalance", "ds").sortWithinPartitions("ds", "scenario", "user_id", "ts")


def events_of(rows: DataFrame, config: Config, since: dt.date) -> DataFrame:
    """Return the events of the days from `since` on with the user features as of then, for `daily_statistics`."""
    wanted = user_features(_made(rows, since), config, "before_")
    names = ["item_id", "scenario", "event_type", "outcome", "had", *(f"item_{name}" for name in config.features.item)]
    exploded = wanted.select("ds", *config.features.user, F.explode("events").alias("event"))
    return exploded.select("ds", *config.features.user, *(F.col(f"event.{name}") for name in names))


def states_of(rows: DataFrame, base: DataFrame, config: Config, ds: dt.date) -> DataFrame:
    """Return every user's state at the end of ds.

    Parameters
    ----------
    rows
        Baskets and base rows, `baskets.as_of`.
    base
        The earlier `user_state` that `rows` began with: user_id, scenarios, had.
    """
    last = rows.where("is_last").select(
        "user_id",
        F.col("after_history").alias("history"),
        *(F.col(f"after_{name}").alias(f"running_{name}") for name in config.features.running),
    )
    seen = rows.where("is_new").select(
        "user_id", F.array_distinct("events.scenario").alias("scenarios"), _had().alias("had")
    )
    every = seen.unionByName(base.select("user_id", "scenarios", "had"))
    sets = every.groupBy("user_id").agg(
        *(F.array_sort(F.array_distinct(F.flatten(F.collect_list(name)))).alias(name) for name in ("scenarios", "had"))
    )
    states = last.join(sets, "user_id").withColumn("ts", end_of(ds, config.data.time_zone))
    return user_features(states, config, "running_").withColumn("ds", F.lit(ds))


def _had() -> Column:
    return F.array_distinct(F.transform(F.filter("events", lambda event: event["had"]), lambda event: event["item_id"]))
