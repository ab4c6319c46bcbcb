"""What becomes of raw rows: events, or quarantine."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.clean.lookups import with_lookups
from landbridge.clean.parse import (
    BROKE,
    CHANGED,
    HASH,
    OCCURRENCE,
    RAW,
    REMOVED,
    identify,
    parse,
    require,
    rules_of,
)
from landbridge.clean.read import DAY, FILE
from landbridge.clean.rules import apply_rules
from landbridge.config.schema import Config


def cleaned(raw: DataFrame, config: Config) -> DataFrame:
    """Return every raw row with its identity, its derived columns, and a flag for each rule that removed or changed it.

    A row is an event exactly if it is not `__removed`; `__raw` is there only for what goes to quarantine.
    """
    rows = parse(with_lookups(identify(raw, config.data.reader), config), config)
    rows = require(apply_rules(rows, config))
    garbled = F.contains(F.concat_ws("", *(F.col(RAW)[name] for name in config.data.reader.header)), F.lit("\ufffd"))
    told = F.when(F.col(REMOVED) | garbled, F.to_json(RAW))
    flags = [f"`{name}`" for name in rows.columns if name.startswith((BROKE, CHANGED))]
    return rows.select(DAY, FILE, HASH, OCCURRENCE, REMOVED, told.alias(RAW), *flags, *config.data.columns)


def events_of(rows: DataFrame) -> DataFrame:
    """The rows that no rule removed, as the table `events` has them."""
    identity = F.sha2(F.concat_ws(" ", F.col(DAY).cast("string"), F.col(HASH)), 256)
    return rows.where(~F.col(REMOVED)).withColumns({"event_id": identity, "ds": F.col(DAY)})


def quarantine_of(rows: DataFrame) -> DataFrame:
    """The rows that a rule removed, as the table `quarantine` has them."""
    broken = (F.when(F.col(f"`{BROKE}{name}`"), F.lit(name)) for name in sorted(rules_of(rows, BROKE)))
    return rows.where(F.col(REMOVED)).select(
        F.col(DAY).alias("ds"),
        F.col(FILE).alias("file"),
        F.col(HASH).alias("row_hash"),
        F.col(OCCURRENCE).alias("occurrence"),
        F.col(RAW).alias("raw"),
        F.array_compact(F.array(*broken)).alias("rules"),
    )
