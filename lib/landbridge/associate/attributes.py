"""Items that have the same value of an attribute."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.associate.log import ids_of
from landbridge.config.associations import Associations
from landbridge.contenders.kinds import alike


def as_of(items: DataFrame, vocabulary: DataFrame, names: list[str], ds: dt.date) -> DataFrame:
    """Return item and the named attributes of that day."""
    known = items.where(F.col("valid_from") <= F.lit(ds)).groupBy("item_id")
    newest = known.agg(F.max_by(F.struct(*names), "valid_from").alias("as_of")).select("item_id", "as_of.*")
    return newest.join(ids_of(vocabulary, "item_id", "item"), "item_id").select("item", *names)


def by_value(attributes: DataFrame, name: str, settings: Associations) -> DataFrame:
    """Return the kind of an attribute: items of the same value, but for values that too many have."""
    valued = attributes.select("item", F.col(name).alias("value")).where("value != ''")
    sizes = valued.groupBy("value").agg(F.count("*").alias("size"))
    usable = sizes.where(F.col("size").between(2, settings.max_alike))
    one = valued.join(usable, "value")
    pairs = one.join(valued.withColumnRenamed("item", "other"), "value").where("item != other")
    return pairs.select("item", "other", alike(F.col("size").cast("double")).cast("float").alias("weight"))
