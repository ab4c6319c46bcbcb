"""Text columns into typed ones; what does not parse breaks a built-in rule instead of stopping the night."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from landbridge.clean.read import CORRUPT, DAY, FILE, NUMBER, identity
from landbridge.config.data import REQUIRED_COLUMNS
from landbridge.config.reader import Reader
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression

RAW, HASH, OCCURRENCE = "__raw", "__row_hash", "__occurrence"
REMOVED = "__removed"
BROKE, CHANGED = "__broke:", "__changed:"
"""Prefixes of the flags: a row broke a removing rule, or was changed by a filling or clipping one."""
_TYPES = {"long": "bigint"}
_OFFSET = r":[0-9.]+ ?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})$"


def identify(raw: DataFrame, reader: Reader) -> DataFrame:
    """Add `__raw` (the row as a struct), `__row_hash` and `__occurrence`, the copy number among equal rows of the day.

    The copies count from 0. Null and the empty text have different hashes.
    """
    columns = [F.col(f"`{name}`") for name in identity(reader)]
    marked = (F.coalesce(F.concat(F.lit("="), column), F.lit("")) for column in columns)
    copies = Window.partitionBy(DAY, HASH).orderBy(FILE, *([NUMBER] if reader.numbered else []))
    rows = raw.withColumn(HASH, F.sha2(F.concat_ws("\x1f", *marked), 256))
    rows = rows.withColumn(OCCURRENCE, F.row_number().over(copies) - 1)
    # Only now, or every value would go through the shuffle twice.
    return rows.withColumn(RAW, F.struct(*columns))


def parse(rows: DataFrame, config: Config) -> DataFrame:
    """Add the derived columns, in order, a flag for each built-in rule, and `__removed`.

    A derived column hides the file's column whose name differs from it in letter case alone. Built-in are
    `duplicate`, `malformed` (then nothing else is looked at), `unparsed:<column>` and `wrong_day`; of a snapshot, which
    may hold any time before, a later day alone is a wrong one.
    """
    rows = flag(rows, {"duplicate": F.col(OCCURRENCE) > 0, "malformed": F.col(CORRUPT).isNotNull()}, always=True)
    for name, column in config.data.columns.items():
        sql = expression(rows, column.sql, f"{config.name}.yaml: data.columns.{name}.sql")
        kind = _TYPES.get(column.type, column.type)
        is_text = isinstance(rows.select(sql.alias("value")).schema["value"].dataType, StringType)
        value = _instant(sql, is_text, config.data.time_zone) if kind == "timestamp" else sql.try_cast(kind)
        if kind == "string":
            rows = rows.withColumn(name, value)
            continue
        unparsed = value.isNull() & (F.trim(sql.cast("string")) != "") & F.col(CORRUPT).isNull()
        broke = F.coalesce(unparsed, F.lit(False))
        rows = rows.withColumns({name: value, f"{BROKE}unparsed:{name}": broke, REMOVED: F.col(REMOVED) | broke})
    day = local_day(F.col("ts"), config.data.time_zone)
    return flag(rows, {"wrong_day": day > F.col(DAY) if config.data.reader.is_snapshot else day != F.col(DAY)})


def require(rows: DataFrame) -> DataFrame:
    """Flag `missing:<column>` on rows that no rule removed and that lack a required value: the last net."""
    lacking = {f"missing:{name}": ~F.col(REMOVED) & _lacks(name, kind) for name, kind in REQUIRED_COLUMNS.items()}
    return flag(rows, lacking)


def flag(rows: DataFrame, broken: Mapping[str, Column], always: bool = False) -> DataFrame:
    """Add a flag for each removing rule, and set `__removed`.

    The rules of a line that did not parse are meaningless, so that only those given with `always` look at it.
    """
    whole = F.lit(True) if always else F.col(CORRUPT).isNull()
    flags = {f"{BROKE}{name}": whole & F.coalesce(condition, F.lit(False)) for name, condition in broken.items()}
    rows = rows.withColumns(flags)
    before = [REMOVED] if REMOVED in rows.columns else []
    removed = (F.col(f"`{name}`") for name in (*before, *flags))
    return rows.withColumn(REMOVED, reduce(or_, removed))


def rules_of(rows: DataFrame, prefix: str) -> list[str]:
    """Names of the rules that have a flag of a kind, in the order in which they were applied."""
    return [name.removeprefix(prefix) for name in rows.columns if name.startswith(prefix)]


def local_day(ts: Column, time_zone: str) -> Column:
    """Return the day of an instant in a time zone."""
    return F.to_date(F.from_utc_timestamp(ts, time_zone))


def _instant(value: Column, is_text: bool, time_zone: str) -> Column:
    """Local wall clock into UTC; a text that carries its own offset is an instant already."""
    clock = value.try_cast("timestamp")
    local = F.to_utc_timestamp(clock, time_zone)
    return F.when(value.rlike(_OFFSET), clock).otherwise(local) if is_text else local


def _lacks(name: str, kind: str) -> Column:
    absent = F.col(name).isNull()
    return absent | (F.col(name) == "") if kind == "string" else absent
