"""What users are interested in: the mean of the factors of what they took, scenario by scenario."""

from __future__ import annotations

from itertools import accumulate

from pyspark.ml.feature import Normalizer
from pyspark.ml.functions import array_to_vector
from pyspark.ml.recommendation import ALS
from pyspark.ml.stat import Summarizer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.config.groups import Groups


def taken_of(examples: DataFrame, vocabulary: DataFrame) -> DataFrame:
    """Return fit, user_id, scenario, item (its id), item_id and events: how often, of examples that give him the item.

    `examples` has a row for every fit that learns from it.
    """
    ids = vocabulary.where("field = 'item_id'").select(F.col("value").alias("item_id"), F.col("id").alias("item"))
    counted = examples.where("had").groupBy("fit", "user_id", "scenario", "item_id").agg(F.count("*").alias("events"))
    return counted.join(ids, "item_id").select("fit", "user_id", "scenario", "item", "item_id", "events")


def placed(users: DataFrame) -> DataFrame:
    """Return user_id, each once, in the order of the ids, and where each lies: its partition and its row in it."""
    ordered = users.select("user_id").distinct().sort("user_id")
    return ordered.withColumn("place", F.monotonically_increasing_id())


def numbered(places: DataFrame) -> DataFrame:
    """Return user_id and user: numbers from 0 without gaps, that fit into 32 bits as those of the factors must.

    Only how many are in each partition is collected; `places` must be kept, so that everybody stays where he is.
    """
    part = F.shiftright("place", 33)  # as Spark documents the number: the partition, then the row in it
    sizes = sorted(tuple(row) for row in places.groupBy(part).count().collect())
    starts = accumulate((size for _, size in sizes), initial=0)
    firsts = [value for (number, _), start in zip(sizes, starts, strict=False) for value in (number, start)]
    first = F.create_map(*(F.lit(value).cast("long") for value in firsts))[part]
    return places.select("user_id", (first + F.col("place").bitwiseAND(F.lit((1 << 33) - 1))).alias("user"))


def factors_of(taken: DataFrame, settings: Groups, seed: int) -> DataFrame:
    """Return item and vector of one fit: factors for implicit feedback (Hu, Koren and Volinsky 2008), all scenarios."""
    counted = taken.groupBy("user_id", "item").agg(F.sum("events").alias("events"))
    places = placed(taken).persist()
    blocks = int(str(taken.sparkSession.conf.get("spark.sql.shuffle.partitions")))
    als = ALS(
        rank=settings.factors,
        maxIter=settings.iterations,
        regParam=settings.regularization,
        alpha=settings.alpha,
        implicitPrefs=True,
        userCol="user",
        itemCol="item",
        ratingCol="events",
        seed=seed,
        numUserBlocks=blocks,
        numItemBlocks=blocks,
    )
    try:
        ratings = counted.join(numbered(places), "user_id").select("user", "item", "events")
        found = als.fit(ratings).itemFactors
    finally:
        places.unpersist()
    return found.select(F.col("id").alias("item"), F.col("features").alias("vector"))


def interests_of(taken: DataFrame, factors: DataFrame, least: int) -> DataFrame:
    """Return fit, scenario, user_id, events and interest, of length one, of users with `least` events there."""
    known = taken.join(factors.select("fit", "item", array_to_vector(F.col("vector")).alias("vector")), ["fit", "item"])
    mean = Summarizer.mean(F.col("vector"), F.col("events").cast("double")).alias("mean")
    users = known.groupBy("fit", "scenario", "user_id").agg(mean, F.sum("events").alias("events"))
    enough = users.where(F.col("events") >= least)
    return Normalizer(p=2.0, inputCol="mean", outputCol="interest").transform(enough).drop("mean")
