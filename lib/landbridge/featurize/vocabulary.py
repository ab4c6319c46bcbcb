"""Ids of values: append-only, so that an id once given never changes its meaning."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

FIELDS = ("item_id", "scenario", "event_type")


def new_values(events: DataFrame, known: DataFrame, items: DataFrame | None = None) -> DataFrame:
    """Return the rows to append: field, value, id, since.

    New values are ordered by the first day they appear on and by value within it, after all known ones: days that are
    loaded one by one, in order, give the ids that the same days give at once.

    Parameters
    ----------
    events
        Columns ds and the fields.
    known
        The vocabulary so far.
    items
        Rows of the table `items`, which get ids too: item_id and valid_from, the day an item appears on.
    """
    pairs = F.array(*(F.struct(F.lit(field).alias("field"), F.col(field).alias("value")) for field in FIELDS))
    named = events.select("ds", F.explode(pairs).alias("pair")).select("pair.field", "pair.value", "ds")
    if items is not None:
        listed = (F.lit("item_id").alias("field"), F.col("item_id").alias("value"), F.col("valid_from").alias("ds"))
        named = named.unionByName(items.select(*listed))
    every = named.groupBy("field", "value").agg(F.min("ds").alias("since"))
    fresh = every.join(known.select("field", "value"), ["field", "value"], "left_anti")
    # Rank within the day plus the values of the days before: no window is ever as long as the vocabulary.
    by_day = fresh.groupBy("field", "since").agg(F.count("*").alias("n"))
    earlier = Window.partitionBy("field").orderBy("since").rowsBetween(Window.unboundedPreceding, -1)
    offsets = by_day.select("field", "since", F.coalesce(F.sum("n").over(earlier), F.lit(0)).alias("offset"))
    top = known.groupBy("field").agg(F.max("id").alias("top"))
    rank = F.row_number().over(Window.partitionBy("field", "since").orderBy("value"))
    numbered = (
        fresh.withColumn("rank", rank)
        .join(F.broadcast(offsets), ["field", "since"])
        .join(F.broadcast(top), ["field"], "left")
    )
    return numbered.select(
        "field", "value", (F.coalesce("top", F.lit(0)) + F.col("offset") + F.col("rank")).alias("id"), "since"
    )
