"""The declared rules: remove, unique, fill, clip, in the order of the configuration.

The statistics of a fill or a clip are those of the day's own rows of the same `by` that no earlier rule has removed.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from landbridge.clean.parse import BROKE, CHANGED, HASH, OCCURRENCE, REMOVED, flag
from landbridge.clean.read import DAY
from landbridge.config.data import Clip, Fill, Unique
from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.lake.expressions import expression


def apply_rules(rows: DataFrame, config: Config) -> DataFrame:
    """Apply the rules: a flag for every rule says whether the row broke it, or was changed by it.

    Rows that are already removed, or did not parse, are neither changed nor counted.
    """
    for position, rule in enumerate(config.data.rules):
        key = f"{config.name}.yaml: data.rules[{position}] ({rule.name})"
        if f"{BROKE}{rule.name}" in rows.columns:
            raise ConfigError(f"{key}.name: {rule.name} is a built-in rule; give yours another name")
        if rule.remove is not None:
            rows = flag(rows, {rule.name: expression(rows, rule.remove, f"{key}.remove")})
        elif rule.unique is not None:
            rows = flag(rows, {rule.name: _repeats(rows, rule.unique, f"{key}.unique.order")})
        elif rule.fill is not None:
            rows = _fill(rows, rule.name, rule.fill)
        elif rule.clip is not None:
            rows = _clip(rows, rule.name, rule.clip)
    return rows


def _repeats(rows: DataFrame, unique: Unique, key: str) -> Column:
    """Whether a row that stands comes after another one of the day with the same values."""
    order = [*(expression(rows, sql, key) for sql in unique.order), F.col(HASH), F.col(OCCURRENCE)]
    place = F.row_number().over(Window.partitionBy(DAY, REMOVED, *unique.by).orderBy(*order))
    return ~F.col(REMOVED) & (place > 1)


def _fill(rows: DataFrame, name: str, fill: Fill) -> DataFrame:
    column = F.col(fill.column)
    if fill.constant is not None:
        return _changed(rows, name, fill.column, _is_missing(rows, fill.column), F.lit(fill.constant))
    if fill.median:
        rows = _with_quantiles(rows, fill.column, [0.5], fill.by)
        value: Column = F.col("__quantiles")[0]
    else:
        value = _between_neighbours(column, fill.by)
    return _changed(rows, name, fill.column, column.isNull(), value)


def _clip(rows: DataFrame, name: str, clip: Clip) -> DataFrame:
    column = F.col(clip.column)
    if clip.quantiles is not None:
        rows = _with_quantiles(rows, clip.column, list(clip.quantiles), clip.by)
        low, high = F.col("__quantiles")[0], F.col("__quantiles")[1]
    elif clip.fences is not None:
        rows = _with_quantiles(rows, clip.column, [0.25, 0.75], clip.by)
        first, third = F.col("__quantiles")[0], F.col("__quantiles")[1]
        reach = clip.fences * (third - first)
        low, high = first - reach, third + reach
    else:
        low, high = F.lit(clip.low).cast("double"), F.lit(clip.high).cast("double")
    bounded = F.when(column < low, low).when(column > high, high)
    return _changed(rows, name, clip.column, (column < low) | (column > high), bounded)


def _changed(rows: DataFrame, name: str, column: str, condition: Column, value: Column) -> DataFrame:
    """Set the column where the condition holds and there is a value to set; note the rule's name on those rows."""
    kind = rows.schema[column].dataType
    rows = rows.withColumn("__value", F.when(~F.col(REMOVED) & condition, value.cast(kind)))
    hit = F.col("__value").isNotNull()
    rows = rows.withColumns({column: F.coalesce("__value", F.col(column)), f"{CHANGED}{name}": hit})
    return rows.drop("__value", "__quantiles")


def _is_missing(rows: DataFrame, column: str) -> Column:
    absent = F.col(column).isNull()
    return absent | (F.col(column) == "") if isinstance(rows.schema[column].dataType, StringType) else absent


def _with_quantiles(rows: DataFrame, column: str, shares: list[float], by: list[str]) -> DataFrame:
    """Add `__quantiles`, exact (interpolated) quantiles of the day and `by` over the rows not removed.

    Over whole days they are aggregated and joined, so that a day need not fit into one task; by key a window does it
    in one pass.
    """
    quantiles = F.percentile(F.when(~F.col(REMOVED), F.col(column).cast("double")), shares)
    if by:
        return rows.withColumn("__quantiles", quantiles.over(Window.partitionBy(DAY, *by)))
    daily = rows.groupBy(F.col(DAY).alias("__day")).agg(quantiles.alias("__quantiles"))
    return rows.join(F.broadcast(daily), F.col(DAY) == F.col("__day"), "left").drop("__day")


def _between_neighbours(column: Column, by: list[str]) -> Column:
    """Linear in time between the nearest known values of the day and `by`; the one there is where there is only one."""
    known = F.when(
        ~F.col(REMOVED) & column.isNotNull(),
        F.struct(F.unix_micros("ts").alias("at"), column.cast("double").alias("is")),
    )
    before = _nearest(known, by, [F.col("ts"), F.col(HASH), F.col(OCCURRENCE)])
    # Backwards, because a frame that begins at the row and ends with the partition costs the square of its length.
    after = _nearest(known, by, [F.col("ts").desc(), F.col(HASH).desc(), F.col(OCCURRENCE).desc()])
    span = after["at"] - before["at"]
    share = F.when(span == 0, F.lit(0.0)).otherwise((F.unix_micros("ts") - before["at"]) / F.nullif(span, F.lit(0)))
    line = before["is"] + share * (after["is"] - before["is"])
    return F.coalesce(line, before["is"], after["is"])


def _nearest(value: Column, by: list[str], order: list[Column]) -> Column:
    earlier = Window.partitionBy(DAY, *by).orderBy(*order).rowsBetween(Window.unboundedPreceding, -1)
    return F.last(value, ignorenulls=True).over(earlier)
