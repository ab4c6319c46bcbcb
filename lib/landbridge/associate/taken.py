"""Items that the same users took."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from landbridge.associate.log import cut
from landbridge.config.associations import Associations
from landbridge.contenders.kinds import taken


def latest(log: DataFrame, most: int) -> DataFrame:
    """Return user_id and item of the `most` items that every user took last, ties by item id."""
    last = log.groupBy("user_id", "item").agg(F.max("ts").alias("ts"))
    newest = Window.partitionBy("user_id").orderBy(F.desc("ts"), "item")
    return last.withColumn("place", F.row_number().over(newest)).where(F.col("place") <= most).select("user_id", "item")


def by_taking(had: DataFrame, homes: DataFrame, settings: Associations) -> DataFrame:
    """Return the kind `taken`; a user of n items makes n (n - 1) / 2 pairs, so `had` should be capped."""
    users = had.groupBy("item").agg(F.count("*").alias("users"))
    one, other = had, had.withColumnRenamed("item", "other")
    both = one.join(other, "user_id").where("item < other").groupBy("item", "other").agg(F.count("*").alias("both"))
    counted = both.join(users, "item").join(users.toDF("other", "others"), "other")
    together, own, others = (F.col(name).cast("double") for name in ("both", "users", "others"))
    weight = taken(together, own, others, settings.taken.shrinkage).cast("float")
    half = counted.select("item", "other", weight.alias("weight"))
    return cut(half.unionByName(half.toDF("other", "item", "weight")), homes, settings.neighbours)
