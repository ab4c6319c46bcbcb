"""Pairs of texts of items that a user took one soon after the other, drawn on Spark, as the files that ranks read."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from landbridge.config.schema import Config
from landbridge.config.study import ColdItems
from landbridge.config.tuned import TuneEncoder
from landbridge.errors import ConfigError

FILES = 4
_DRAWN = 1 << 32


def taken(examples: DataFrame, items: DataFrame, config: Config, where: str) -> DataFrame:
    """Return user_id, ts and item_id of what was taken and may be learned from.

    Where the split declares parts that is the part train. Where a study leaves out cold items, those items are left
    out, and the users of several scenarios, who are judged by it.

    Parameters
    ----------
    examples
        The table up to the last day that fit A knows.
    items
        The table.
    where
        The configuration's file, for errors.
    """
    log = examples.where("had") if config.split.part is None else examples.where("had and part = 'train'")
    rows = log.select("user_id", "ts", "item_id")
    given = config.study.cold_items
    if given is None:
        return rows
    homes = examples.groupBy("user_id").agg(F.count_distinct("scenario").alias("homes"))
    shared = homes.where("homes > 1").select("user_id")
    return rows.join(shared, "user_id", "left_anti").join(_cold(items, given, where), "item_id", "left_anti")


def _cold(items: DataFrame, given: ColdItems, where: str) -> DataFrame:
    """Return item_id of the items that are judged in the end (remainder 0) or in a search (1)."""
    if given.by not in items.columns:
        raise ConfigError(f"{where}: study.cold_items.by: {given.by} is no attribute of items; see data.items")
    names = list(dict.fromkeys(["item_id", given.by]))
    remainder = F.crc32(F.col(given.by).cast("string").cast("binary")) % given.one_in
    return items.select(*names).where(remainder < 2).select("item_id").distinct()


def pairs_of(rows: DataFrame, texts: DataFrame, settings: TuneEncoder) -> DataFrame:
    """Return user, first, second (texts) and held: a user's items that are at most `window` places apart.

    Which of a user's pairs are drawn is decided by a hash, so that it is the same in every run.

    Parameters
    ----------
    rows
        See `taken`.
    texts
        item_id and text.
    """
    told = rows.join(texts.select("item_id", "text"), "item_id")
    ordered = Window.partitionBy("user_id").orderBy("ts", "item_id")
    partners = [F.lead("text", apart).over(ordered) for apart in range(1, settings.window + 1)]
    beside = told.select("user_id", F.col("text").alias("first"), F.array(*partners).alias("seconds"))
    both = beside.select("user_id", "first", F.explode("seconds").alias("second"))
    both = both.where("second is not null and first != second").distinct()
    drawn = Window.partitionBy("user_id").orderBy(_hash(settings.seed, "user_id", "first", "second"), "first", "second")
    some = both.withColumn("place", F.row_number().over(drawn)).where(F.col("place") <= settings.pairs_per_user)
    user = F.xxhash64("user_id")
    held = F.pmod(_hash(settings.seed + 1, "user_id"), F.lit(settings.held_out)) == 0
    return some.select(user.alias("user"), "first", "second", held.alias("held"))


def write(pairs: DataFrame, settings: TuneEncoder, folder: Path) -> tuple[int, int]:
    """Write the pairs, of many about `most_pairs`, as Parquet files into a folder.

    Return how many are learned from, and how many held out.

    The folder is one that this machine, Spark's and those of the ranks share.
    """
    place = folder.resolve().as_uri()
    kept = pairs.persist()
    try:
        count = kept.count()
        share = min(settings.most_pairs / max(count, 1), 1.0)
        drawn = F.pmod(_hash(settings.seed + 2, "user", "first", "second"), F.lit(_DRAWN))
        kept.where(drawn < int(_DRAWN * share)).repartition(FILES, "user").write.mode("overwrite").parquet(place)
    finally:
        kept.unpersist()
    counted = pairs.sparkSession.read.parquet(place).select(F.count_if(~F.col("held")), F.count_if("held")).first()
    return (0, 0) if counted is None else (int(counted[0]), int(counted[1]))


def _hash(seed: int, *names: str) -> Column:
    return F.xxhash64(F.lit(seed), *names)
