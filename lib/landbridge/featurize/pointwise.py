"""Examples of a pointwise task: every event is a question, with its answer and the configured columns."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.pointwise import Pointwise
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression

REFUSED = "[USER_RAISED_EXCEPTION]"
"""Stands in Spark's message where an expression refused a value, and not the place it was written to."""
_PARTS = "^(train|validation|test|[0-9]+)$"


def pointwise_examples(events: DataFrame, task: Pointwise, config: Config) -> DataFrame:
    """Return an example for each event: its answer, its part of the split, the numbers, categories and tags."""
    columns = {"label": _value(events, config, "label", task.label).try_cast("double")}
    empty = F.lit(None).cast("double")
    columns["value"] = empty if task.value is None else _value(events, config, "value", task.value).try_cast("double")
    columns["part"] = part_of(events, config)
    columns |= {
        name: _value(events, config, f"numbers.{name}", sql).try_cast("double") for name, sql in task.numbers.items()
    }
    columns |= {
        name: _value(events, config, f"categories.{name}", sql).cast("string") for name, sql in task.categories.items()
    }
    if task.tags is not None:
        columns["tags"] = _value(events, config, "tags", task.tags).cast("array<string>")
    return events.select(
        F.col("event_id").alias("example_id"),
        "ds",
        "ts",
        "user_id",
        "item_id",
        "scenario",
        *(value.alias(name) for name, value in columns.items()),
    )


def part_of(events: DataFrame, config: Config) -> Column:
    """Return the part of the split an event is in, null where the parts are days; what is no part fails."""
    sql = config.split.part
    if sql is None:
        return F.lit(None).cast("string")
    part = expression(events, sql, f"{config.name}.yaml: split.part").cast("string")
    told = F.concat(
        F.lit("split.part is "), F.coalesce(part, F.lit("null")), F.lit(", which is neither a part nor a fold")
    )
    return F.when(part.rlike(_PARTS), part).otherwise(F.raise_error(told))


def _value(events: DataFrame, config: Config, key: str, sql: str) -> Column:
    return expression(events, sql, f"{config.name}.yaml: pointwise.{key}")
