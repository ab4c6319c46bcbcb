"""Text columns into typed ones; what does not parse breaks a built-in rule instead of stopping the night."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from landbridge.clean.read import CORRUPT, DAY, FILE
from landbridge.config.data import REQUIRED_COLUMNS
from landbridge.config.schema import Config
from landbridge.lake.expressions import expression

RAW, HASH, OCCURRENCE, RULES, CHANGED = "__raw", "__row_hash", "__occurrence", "__rules", "__changed"
_TYPES = {"long": "bigint"}
_OFFSET = r":[0-9.]+ ?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})$"


def identify(raw: DataFrame, header: list[str]) -> DataFrame:
    """Add `__raw` (the row as a struct), `__row_hash` and `__occurrence`, the copy number among equal rows of the day, from 0.

    Null and the empty text have different hashes.
    """
    columns = [F.col(f"`{name}`") for name in (*header, CORRUPT)]
    told = F.concat_ws("\x1f", *(F.coalesce(F.concat(F.lit("="), column), F.lit("")) for column in columns))
    rows = raw.withColumn(HASH, F.sha2(told, 256)).withColumn(RAW, F.struct(*columns))
    copies = Window.partitionBy(DAY, HASH).orderBy(FILE)
    return rows.withColumn(OCCURRENCE, F.row_number().over(copies) - 1)


def parse(rows: DataFrame, config: Config) -> DataFrame:
    """Add the derived columns, in order, and `__rules`, the built-in rules that a row breaks.

    A derived column hides the file's column whose name differs from it in letter case alone. Built-in are
    `duplicate`, `malformed` (then nothing else is looked at), `unparsed:<column>` and `wrong_day`.
    """
    broken = {"duplicate": F.col(OCCURRENCE) > 0, "malformed": F.col(CORRUPT).isNotNull()}
    for name, column in config.data.columns.items():
        sql = expression(rows, column.sql, f"{config.name}.yaml: data.columns.{name}.sql")
        kind = _TYPES.get(column.type, column.type)
        is_text = isinstance(rows.select(sql.alias("value")).schema["value"].dataType, StringType)
        value = _instant(sql, is_text, config.data.time_zone) if kind == "timestamp" else sql.try_cast(kind)
        flag = f"__unparsed_{name}"
        there = F.coalesce(F.trim(sql.cast("string")) != "", F.lit(False))
        rows = rows.withColumns({name: value, flag: F.lit(False) if kind == "string" else there & value.isNull()})
        if kind != "string":
            broken[f"unparsed:{name}"] = F.col(flag) & F.col(CORRUPT).isNull()
    broken["wrong_day"] = F.coalesce(local_day(F.col("ts"), config.data.time_zone) != F.col(DAY), F.lit(False)) & F.col(CORRUPT).isNull()
    return rows.withColumns({RULES: names_of(broken), CHANGED: F.array().cast("array<string>")})


def require(rows: DataFrame) -> DataFrame:
    """Add `missing:<column>` to rows that no rule removed and that lack a required value: the last net before `events`."""
    lacking = {f"missing:{name}": _lacks(name, kind) for name, kind in REQUIRED_COLUMNS.items()}
    return rows.withColumn(RULES, F.when(F.size(RULES) > 0, F.col(RULES)).otherwise(names_of(lacking)))


def names_of(broken: dict[str, Column]) -> Column:
    """Return the array of the names whose condition is true."""
    return F.array_compact(F.array(*(F.when(condition, F.lit(name)) for name, condition in broken.items())))


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
