"""The text of every item as of a day, in any script, whatever bytes somebody put into it."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.config.text import Encode
from landbridge.lake.expressions import expression

# Control characters, what could not be decoded, halves of pairs and private letters say nothing to a model.
_NOISE = r"[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]+"


def texts_of(items: DataFrame, settings: Encode, ds: dt.date, where: str) -> DataFrame:
    """Return item_id, text, text_hash (sha256) and since (when it became so) of every item that has a text on `ds`.

    Parameters
    ----------
    items
        The table: item_id, valid_from, and the attributes, a row whenever they change.
    where
        The configuration's file, for errors.
    """
    rows = as_of(items, ds)
    text = cleaned(expression(rows, settings.text, f"{where}: encode.text").cast("string"), settings.most_characters)
    return hashed(rows.select("item_id", text.alias("text"), F.col("__since").alias("since")))


def as_of(items: DataFrame, ds: dt.date) -> DataFrame:
    """Return item_id, __since (when it became so) and the attributes of every item as of a day."""
    names = [name for name in items.columns if name not in ("item_id", "valid_from")]
    known = items.where(F.col("valid_from") <= F.lit(ds)).groupBy("item_id")
    latest = known.agg(F.max_by(F.struct(*names), "valid_from").alias("as_of"), F.max("valid_from").alias("__since"))
    return latest.select("item_id", "__since", "as_of.*")


def hashed(texts: DataFrame) -> DataFrame:
    """Return the texts that say something, with their hash: first who it is about, then text, since and text_hash."""
    return texts.where(F.col("text") != "").withColumn("text_hash", F.sha2("text", 256))


def cleaned(text: Column, most: int) -> Column:
    """Return the text without control characters and double spaces, cut to `most` characters; null where null."""
    spaced = F.regexp_replace(F.regexp_replace(F.substring(text, 1, 4 * most), _NOISE, " "), r"\s+", " ")
    return F.trim(F.substring(F.trim(spaced), 1, most))
