"""Vectors that another pipeline made: where tonight's lie, and which of them can be used."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from landbridge.config.modalities import Modality
from landbridge.errors import DataError
from landbridge.lake.expressions import expression
from landbridge.lake.files import Told, by_day, listed

UNKNOWN = "__unknown"
_BROKE = "__broke:"
_MOST = 8
"""Numbers of a bad vector that quarantine shows: a whole delivery may be bad."""


@dataclass(frozen=True)
class Delivery:
    """Where vectors lie, of which day (None: no day in the path), and what tells them from others at that place."""

    paths: tuple[str, ...]
    day: dt.date | None
    signature: str


def delivery_of(path: str, ds: dt.date, spark: SparkSession | None) -> Delivery:
    """Return the newest up to ds at a path.

    Raises
    ------
    DataError
        There is none.
    """
    dated = by_day(path, dt.date.min, ds, spark) if "{ds}" in path else {}
    day = max(dated, default=None)
    found = sorted(listed(path, spark)) if "{ds}" not in path else dated[day] if day else []
    if not found:
        raise DataError(f"{path} matches nothing up to {ds}; put it there, or correct the path")
    paths = tuple(place for place, _, _ in found)
    # A folder of another content may be as large as it was, and on an object store it has no moment of change.
    inside = [told for place in paths for depth in ("*", "*/*") for told in sorted(listed(f"{place}/{depth}", spark))]
    return Delivery(paths, day, _signature([*found, *inside]))


def _signature(found: list[Told]) -> str:
    told = "\n".join(f"{path} {size} {modified}" for path, size, modified in found)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def read(spark: SparkSession, settings: Modality, delivery: Delivery, where: str) -> DataFrame:
    """Return item_id and vector, as array<float>, of every row of a delivery.

    Raises
    ------
    ConfigError
        An expression does not fit its columns. `where` is the key, for the message.
    """
    reader = spark.read.format(settings.format)
    paths = list(delivery.paths)
    rows = reader.load(paths) if settings.format == "parquet" else reader.load(paths[0])
    return _selected(rows, expression(rows, settings.item, f"{where}.item"), settings, where)


def read_attribute(items: DataFrame, settings: Modality, where: str) -> DataFrame:
    """Return the same of an attribute of the items, of those that have it; `items` are as of the night."""
    return _selected(items, F.col("item_id"), settings, where).where(F.col("vector").isNotNull())


def _selected(rows: DataFrame, item: Column, settings: Modality, where: str) -> DataFrame:
    # The cast is analysed with it: what is no array is a sentence too.
    vector = expression(rows, f"try_cast({settings.vector} as array<float>)", f"{where}.vector")
    return rows.select(item.cast("string").alias("item_id"), vector.alias("vector"))


def judged(rows: DataFrame, name: str, width: int, items: DataFrame) -> DataFrame:
    """Add to item_id and vector its hash, a flag for each rule, and whether the item is unknown.

    A vector that breaks no rule and whose item is known is scaled to length one: half precision holds any such.

    Parameters
    ----------
    items
        item_id of all that are known.
    """
    size, length = F.size("vector"), F.sqrt(F.aggregate("vector", F.lit(0.0), _plus_square))
    finite = F.forall("vector", lambda x: x.isNotNull() & ~F.isnan(x) & (F.abs(x) < F.lit(float("inf"))))
    flags = {
        f"no_item:{name}": F.coalesce(F.col("item_id"), F.lit("")) == "",
        f"no_vector:{name}": F.col("vector").isNull(),
        f"width:{name}": size != width,
        f"not_finite:{name}": ~finite,
        f"zero:{name}": finite & (length == 0.0),
    }
    named = items.select("item_id", F.lit(True).alias("__here"))
    told = rows.withColumn("text_hash", F.sha2(F.col("vector").cast("string"), 256)).join(named, "item_id", "left")
    flagged = told.withColumns({_BROKE + rule: F.coalesce(broke, F.lit(False)) for rule, broke in flags.items()})
    broken = _any([F.col(f"`{_BROKE}{rule}`") for rule in flags])
    unknown = ~broken & F.col("__here").isNull()
    # Of several for an item one is taken, the same every night.
    again = F.row_number().over(Window.partitionBy("item_id", broken).orderBy("text_hash")) > 1
    scaled = F.when(~broken, F.transform("vector", lambda x: (x / length).cast("float")))
    more = {f"{_BROKE}repeated:{name}": ~broken & ~unknown & again, UNKNOWN: unknown, "scaled": scaled}
    return flagged.withColumns(more).drop("__here")


def good(rows: DataFrame) -> DataFrame:
    """Return item_id, text_hash and the scaled vector of what was judged good and is of a known item."""
    wanted = ~_any([*_broke(rows).values(), F.col(UNKNOWN)])
    return rows.where(wanted).select("item_id", "text_hash", F.col("scaled").alias("vector"))


def bad(rows: DataFrame, ds: dt.date, file: str) -> DataFrame:
    """Return what broke a rule as the table `quarantine` has it; a row shows the head of its vector."""
    flags = _broke(rows)
    raw = F.struct("item_id", F.size("vector").alias("width"), F.slice("vector", 1, _MOST).alias("begins"), "text_hash")
    rules = F.array_compact(F.array(*(F.when(flags[rule], F.lit(rule)) for rule in sorted(flags))))
    told = rows.where(_any(list(flags.values()))).select(F.to_json(raw).alias("raw"), rules.alias("rules"))
    # Equal rows are counted before they are numbered, so that a million of them are no one task's work.
    counted = told.groupBy("raw", "rules").agg(F.count("*").cast("int").alias("copies"))
    each = counted.withColumn("occurrence", F.explode(F.sequence(F.lit(0), F.col("copies") - 1)))
    return each.withColumns({"ds": F.lit(ds), "file": F.lit(file), "row_hash": F.sha2("raw", 256)})


@dataclass(frozen=True)
class Judgement:
    """What was found: rows, how many of them broke each rule, how many broke any, and how many name no known item."""

    rows: int
    rules: Mapping[str, int]
    bad: int
    unknown: int

    @classmethod
    def of(cls, rows: DataFrame) -> Judgement:
        """Count, which computes the rows."""
        flags = _broke(rows)
        found = rows.agg(
            F.count("*").alias("rows"),
            F.count_if(_any(list(flags.values()))).alias("bad"),
            F.count_if(UNKNOWN).alias("unknown"),
            *(F.count_if(flag).alias(rule) for rule, flag in flags.items()),
        ).first()
        assert found is not None
        return cls(found["rows"], {rule: found[rule] for rule in flags if found[rule]}, found["bad"], found["unknown"])


def _plus_square(total: Column, x: Column) -> Column:
    return total + x.cast("double") * x.cast("double")


def _broke(rows: DataFrame) -> dict[str, Column]:
    return {name.removeprefix(_BROKE): F.col(f"`{name}`") for name in rows.columns if name.startswith(_BROKE)}


def _any(conditions: list[Column]) -> Column:
    found = conditions[0]
    for condition in conditions[1:]:
        found = found | condition
    return found
