"""Files that list items: what they tell of the items of a day, whether or not an event names them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.clean.files import LogFile
from landbridge.clean.read import DAY, explained, read_catalogue
from landbridge.config.reader import Catalogue
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression
from landbridge.lake.spark import SparkLake


@dataclass(frozen=True)
class Listing:
    """What catalogues tell of the days that are written: item_id, valid_from and the attributes, several rows an item.

    `rows` were read; `ignored` of them name no item.
    """

    items: DataFrame
    rows: int
    ignored: int

    def notes(self) -> dict[str, object]:
        """What the ledger keeps."""
        return {"catalogue": {"rows": self.rows, "ignored": self.ignored}}

    def sentence(self) -> str:
        """What a person reads."""
        without = f", {self.ignored:,} of them ignored: they have no item_id" if self.ignored else ""
        return f"{self.rows:,} rows of catalogues{without}"


@contextmanager
def listing(
    lake: SparkLake,
    config: Config,
    fresh: Sequence[dt.date],
    later: Sequence[dt.date],
    catalogues: Mapping[dt.date, Sequence[LogFile]],
) -> Iterator[Listing | None]:
    """Read the catalogues, whole; None where the configuration has none.

    Parameters
    ----------
    fresh
        The days that are loaded.
    later
        Days that were loaded before, and whose items are made anew. Where the files of one are gone, what the table
        says of it stands for them.
    """
    catalogue = config.data.catalogue
    if catalogue is None:
        yield None
        return
    files = [file for day in (*fresh, *later) for file in catalogues.get(day, ())]
    gone = [day for day in later if day not in catalogues]
    with explained(catalogue):
        rows = items_of(read_catalogue(lake.spark, config.data, catalogue, files), catalogue, config).persist()
    try:
        with explained(catalogue):
            counts = rows.agg(F.count("*").alias("rows"), F.count("item_id").alias("named")).first()
        assert counts is not None
        kept = lake.table("items").where(F.col("valid_from").isin(gone)).select(rows.columns)
        named = rows.where(F.col("item_id").isNotNull())
        yield Listing(named.unionByName(kept) if gone else named, counts["rows"], counts["rows"] - counts["named"])
    finally:
        rows.unpersist()


def items_of(rows: DataFrame, catalogue: Catalogue, config: Config) -> DataFrame:
    """Return item_id, null where a row has none, valid_from and the attributes of every row of a catalogue."""
    key = f"{config.name}.yaml: data.catalogue"
    item = expression(rows, catalogue.item_id, f"{key}.item_id").cast("string")
    attributes = {name: expression(rows, catalogue.items[name], f"{key}.items.{name}") for name in config.data.items}
    return rows.select(
        F.nullif(item, F.lit("")).alias("item_id"),
        F.col(DAY).alias("valid_from"),
        *(value.cast("string").alias(name) for name, value in attributes.items()),
    )
