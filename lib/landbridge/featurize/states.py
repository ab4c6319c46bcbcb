"""Examples out of baskets, and what is known of every user at the end of a day."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.schema import Config
from landbridge.featurize.baskets import end_of, user_features


def examples_of(rows: DataFrame, config: Config, since: dt.date) -> DataFrame:
    """Return an example for each event of the days from `since` on, with history and user features as of then.

    Baskets are moved to their day before they are taken apart, so that a history travels once and not once an event.
    """
    wanted = user_features(rows.where(F.col("is_new") & (F.col("ds") >= F.lit(since))), config, "before_")
    features = list(config.features.user)
    slim = wanted.select("ds", "user_id", "ts", "events", F.col("before_history").alias("history"), *features)
    by_day = slim.hint("rebalance", "ds").sortWithinPartitions("ds", F.col("events")[0]["scenario"], "user_id", "ts")
    exploded = by_day.select("ds", "user_id", "ts", "history", *features, F.explode("events").alias("event"))
    return exploded.select(
        F.col("event.event_id").alias("example_id"),
        "ds",
        "ts",
        "user_id",
        "event.item_id",
        "event.scenario",
        "event.event_type",
        "event.outcome",
        "event.had",
        *(["event.part"] if config.split.part is not None else []),
        "history",
        *features,
    )


def events_of(rows: DataFrame, config: Config, since: dt.date) -> DataFrame:
    """Return the events of the days from `since` on with the user features as of then, for `daily_statistics`."""
    wanted = user_features(rows.where(F.col("is_new") & (F.col("ds") >= F.lit(since))), config, "before_")
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
