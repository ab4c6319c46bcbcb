"""Other files joined to the rows of the logs: every row stays one row."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.clean.files import find_lookups
from landbridge.clean.read import read_lookup
from landbridge.config.reader import Lookup
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression


def with_lookups(rows: DataFrame, config: Config) -> DataFrame:
    """Add a struct for each lookup, named as it is, with its columns as text; null where it has no such key.

    Pseudonyms stand in the columns of the logs already when keys are compared.
    """
    files = find_lookups(config, rows.sparkSession)
    for name, lookup in config.data.lookups.items():
        where = f"{config.name}.yaml: data.lookups.{name}"
        found = _first_of_key(read_lookup(rows.sparkSession, lookup, files[name]), lookup, name, where)
        keys = {_key(at): sql for at, sql in enumerate(lookup.keys.values())}
        same = [expression(rows, sql, f"{where}.keys").cast("string") == F.col(key) for key, sql in keys.items()]
        rows = rows.join(found, same, "left").drop(*keys)
    return rows


def _first_of_key(rows: DataFrame, lookup: Lookup, name: str, where: str) -> DataFrame:
    """Return a row for each key: the keys as `__key<n>`, and the struct of the first row in the declared order."""
    columns = [_column(column) for column in lookup.header]
    order = [expression(rows, sql, f"{where}.order").alias(f"__order{at}") for at, sql in enumerate(lookup.order)]
    keys = [_column(column).alias(_key(at)) for at, column in enumerate(lookup.keys)]
    first = F.min(F.struct(*order, F.struct(*columns).alias("__row"))).alias("__first")
    return rows.groupBy(*keys).agg(first).select(*map(_key, range(len(keys))), F.col("__first.__row").alias(name))


def _column(name: str) -> Column:
    return F.col(f"`{name}`")


def _key(at: int) -> str:
    return f"__key{at}"
