"""What a night of a pointwise task does with every example: by the configuration's expressions, or by its days."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.days import days_of
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression
from landbridge.lake.spark import SparkLake

REFUSED = "scores.role is "
"""Begins what Spark says of a role that is none."""
_ROLES = "^(train|validation|test|score)$"


def subjects(lake: SparkLake, ds: dt.date) -> DataFrame:
    """Return ds, example_id, scenario, subject_id, role of every example up to `ds`, in the order of scenarios.

    An example without a label is scored, whatever its role would be.

    Raises
    ------
    ConfigError
        An expression of `scores` does not resolve.
    """
    config = lake.lake.config
    known = lake.table("examples").where(F.col("ds") <= F.lit(ds))
    answers = known.select(F.col("example_id").alias("event_id"), "part", "label")
    events = lake.table("events").where(F.col("ds") <= F.lit(ds)).join(answers, "event_id")
    role = F.when(F.col("label").isNull(), F.lit("score")).otherwise(_role(events, config, ds))
    told = F.concat(F.lit(REFUSED), F.coalesce(role, F.lit("null")))
    rows = events.select(
        F.lit(ds).alias("ds"),
        F.col("event_id").alias("example_id"),
        "scenario",
        expression(events, config.scores.subject, f"{config.name}.yaml: scores.subject")
        .cast("string")
        .alias("subject_id"),
        F.when(role.rlike(_ROLES), role).otherwise(F.raise_error(told)).alias("role"),
    )
    return rows.hint("rebalance", "ds").sortWithinPartitions("scenario", "subject_id", "example_id")


def _role(events: DataFrame, config: Config, ds: dt.date) -> Column:
    if config.scores.role is not None:
        return expression(events, config.scores.role, f"{config.name}.yaml: scores.role").cast("string")
    if config.split.part is not None:
        return F.col("part")
    days = days_of(config, ds)
    until = {"train": days.train_until, "validation": days.validation_until}
    role = F.lit("test")
    for name, last in reversed(until.items()):
        role = F.when(F.col("ds") <= F.lit(last), F.lit(name)).otherwise(role)
    return role
