"""`landbridge check`: vectors of other modalities against a sample of them, before anything is written."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from landbridge.config.modalities import Modality
from landbridge.config.schema import Config
from landbridge.encode.delivered import Judgement, delivery_of, judged, read, read_attribute
from landbridge.errors import DataError
from landbridge.lake.contracts import contracts

SAMPLE = 10_000


def check(config: Config, spark: SparkSession, ds: dt.date | None = None, rows: int = SAMPLE) -> list[str]:
    """Read vectors of the newest delivery up to ds, of all without ds, and say what would come of them.

    Raises
    ------
    ConfigError
        With the key, the expression and Spark's complaint.
    """
    until = ds or dt.date.max
    return [_checked(config, name, settings, spark, until, rows) for name, settings in config.modalities.items()]


def _checked(config: Config, name: str, settings: Modality, spark: SparkSession, until: dt.date, rows: int) -> str:
    key = f"modalities.{name}"
    where = f"{config.name}.yaml: {key}"
    if settings.path is None:
        columns = contracts(config)["items"].columns
        empty = spark.range(0).select(*(F.lit(None).cast(one.type).alias(column) for column, one in columns.items()))
        read_attribute(empty, settings, where)
        return f"{key}: {settings.vector} over items is an array"
    try:
        delivery = delivery_of(settings.path, until, spark)
    except DataError as error:
        return f"{key}: {error}; a night goes on without"
    sample = read(spark, settings, delivery, where).limit(rows)
    found = Judgement.of(judged(sample, name, settings.width, sample.select("item_id").distinct()))
    rules = "".join(f"; {rule} {count:,}" for rule, count in sorted(found.rules.items()))
    more = " (a sample)" if found.rows == rows else ""
    return f"{delivery.paths[0]}: {found.rows:,} rows, {found.bad:,} of them bad{rules}{more}"
