"""The text of every user: what his last items are called, so that users of different scenarios meet in one space."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.encode.texts import cleaned, hashed


def profiles_of(states: DataFrame, texts: DataFrame, last: int, most_characters: int) -> DataFrame:
    """Return user_id, text, since and text_hash (see `hashed`) of every user who had to do with an item with a text.

    Parameters
    ----------
    states
        The rows of `user_state` of a day, so that nothing later is known.
    texts
        Of items, as they are encoded.
    last
        Items that are named, over all scenarios, each once, the newest first: what is too long is cut at its end.
    """
    newest = F.slice(F.array_distinct(F.reverse("history").getField("item_id")), 1, last)
    since = F.array_max(F.col("history").getField("ts"))
    items = states.select("user_id", since.alias("since"), F.posexplode(newest).alias("place", "item_id"))
    named = items.join(texts.select("item_id", "text"), "item_id")
    told = named.groupBy("user_id").agg(
        F.array_sort(F.collect_list(F.struct("place", "text"))).getField("text").alias("texts"),
        F.max("since").alias("since"),
    )
    text = F.concat_ws("; ", F.array_distinct("texts"))
    return hashed(told.select("user_id", cleaned(text, most_characters).alias("text"), "since"))
