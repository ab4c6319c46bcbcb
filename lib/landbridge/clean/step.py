"""The step `clean`: the days that are new or changed go from files into events, quarantine, items and users."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.clean.attributes import changes
from landbridge.clean.audit import Counts, audit, count, observed
from landbridge.clean.files import LogFile, expected_path, find, find_lookups, open_days, recipe, signature
from landbridge.clean.loaded import Loaded
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
from landbridge.clean.read import DAY, FILE, explain_failure, read_raw
from landbridge.clean.rules import apply_rules
from landbridge.config.days import days_of
from landbridge.config.reader import Reader
from landbridge.config.schema import Config
from landbridge.errors import DataError, LandbridgeError
from landbridge.lake.expressions import expression
from landbridge.lake.spark import SparkLake
from landbridge.lake.together import together
from landbridge.step import Night, Outcome, Step


def run(night: Night) -> Outcome:
    """Load every day up to ds that the lake lacks, in one job, and say what was removed and changed by which rule."""
    config, spark_lake = night.config, night.spark_lake()
    days = days_of(config, night.ds)
    files = find(config, days.first, night.ds, spark_lake.spark)
    loaded = Loaded.read(night.lake)
    missing = _missing(night, files, loaded, open_days(config, days.first, night.ds, spark_lake.spark))
    made_by = recipe(config, spark_lake.spark)
    fresh = {day: found for day, found in files.items() if not loaded.is_current(day, found, made_by)}
    if not fresh:
        night.say("every file is loaded already")
        return Outcome(notes={"files": {}, "rules": {}, "rows": 0, "events": 0, "days": 0, "missing": missing})
    night.say(f"loading {len(fresh)} {'day' if len(fresh) == 1 else 'days'}, {min(fresh)} to {max(fresh)}")
    counts = _load(night, spark_lake, fresh)
    digests = night.lake.digests("events")
    signatures = {
        day.isoformat(): [signature(found, made_by), digests.get(day, "")] for day, found in sorted(fresh.items())
    }
    night.say(counts.sentence())
    return Outcome(notes={"files": signatures, **counts.notes(), "missing": missing}, metrics=counts.metrics())


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


def _load(night: Night, lake: SparkLake, fresh: Mapping[dt.date, Sequence[LogFile]]) -> Counts:
    """Clean the days, check them, and write: nothing is written unless every day passed."""
    config = night.config
    files = [file for found in fresh.values() for file in found]
    with _explained(config.data.reader):
        raw = read_raw(lake.spark, config.data, files)
        watched, read = observed(raw)
        rows = cleaned(watched, config).persist()
        try:
            counts = count(raw, read, rows)
            audit(counts, fresh, config)
            _write(night, lake, rows, sorted(fresh))
        finally:
            rows.unpersist()
    return counts


def _write(night: Night, lake: SparkLake, rows: DataFrame, days: Sequence[dt.date]) -> None:
    """Write all four tables, each in one commit."""
    where = f"ds IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days)})"
    events, quarantine = events_of(rows), quarantine_of(rows)
    everything = _with_others(lake, events, days)
    together(
        lambda: lake.replace(
            "quarantine", _by_day(quarantine, "file", "row_hash", "occurrence"), where, night.fingerprint
        ),
        lambda: lake.replace("events", _by_day(events, "scenario", "ts", "event_id"), where, night.fingerprint),
        lambda: _write_changes(night, lake, everything, days[0], "items", "item_id", night.config.data.items),
    )
    _write_changes(night, lake, everything, days[0], "users", "user_id", night.config.data.users)


def _by_day(rows: DataFrame, *order: str) -> DataFrame:
    """Rebalanced by day: about a file a day, more for a day that is too large for one task."""
    return rows.hint("rebalance", "ds").sortWithinPartitions("ds", *order)


def _write_changes(
    night: Night, lake: SparkLake, events: DataFrame, since: dt.date, name: str, key: str, attributes: Mapping[str, str]
) -> None:
    where = f"{night.config.name}.yaml: data.{name}"
    columns = {attribute: expression(events, sql, f"{where}.{attribute}") for attribute, sql in attributes.items()}
    changed = changes(events, lake.table(name), since, key, columns)
    # replaceWhere and not MERGE: what follows from the days is known whole, and rows that no longer follow must go.
    ordered = changed.hint("rebalance").sortWithinPartitions(key, "valid_from")
    lake.replace(name, ordered, f"valid_from >= DATE '{since}'", night.fingerprint)


def _with_others(lake: SparkLake, events: DataFrame, days: Sequence[dt.date]) -> DataFrame:
    """The events just loaded and those of later days that were loaded before."""
    later = [day for day in lake.lake.days("events") if day > days[0] and day not in set(days)]
    own = events.select(*lake.lake.contract("events").columns)
    if not later:
        return own
    return own.unionByName(lake.table("events").where(F.col("ds").isin(later)))


def _missing(
    night: Night, files: Mapping[dt.date, Sequence[LogFile]], loaded: Loaded, expected: Sequence[dt.date]
) -> list[str]:
    """Stop where the file of ds is not there; warn of earlier ones. What was loaded stays when its file is gone."""
    absent = [day for day in expected if day not in files]
    lost = [day for day in absent if day not in loaded.digests]
    if night.ds in lost:
        or_closed = (
            ""
            if night.config.data.reader.is_snapshot
            else ", or declare the day in data.reader.closed if there is none"
        )
        raise DataError(
            f"there is no file of {night.ds}: {expected_path(night.config, night.ds)} was expected; "
            f"put it there and run the same command{or_closed}"
        )
    if not files and not loaded.digests:
        raise DataError(
            f"there is no file up to {night.ds}: {night.config.data.reader.path} matches nothing; "
            "correct data.reader.path or first_day"
        )
    if lost:
        night.say(
            f"warning: no file of {_listing(lost)}; the night goes on without; a file that comes later is loaded then"
        )
    gone = [day for day in absent if day in loaded.digests]
    if gone:
        night.say(f"warning: the file of {_listing(gone)} is gone; what was loaded from it stays")
    return [day.isoformat() for day in lost]


def _listing(days: Sequence[dt.date]) -> str:
    shown = ", ".join(day.isoformat() for day in days[:5])
    return shown if len(days) <= 5 else f"{shown} and {len(days) - 5} more days"


@contextmanager
def _explained(reader: Reader) -> Iterator[None]:
    try:
        yield
    except LandbridgeError:
        raise
    except (PySparkException, Py4JError) as error:
        raise explain_failure(error, reader) from error


def _inputs(night: Night) -> Mapping[str, str]:
    data = night.config.data
    is_remote = any("://" in source.path for source in (data.reader, *data.lookups.values()))
    spark = night.spark_lake().spark if is_remote else None
    found = find(night.config, days_of(night.config, night.ds).first, night.ds, spark)
    every = [file for files in found.values() for file in files]
    lookups = {
        data.lookups[name].path: signature(files, "") for name, files in find_lookups(night.config, spark).items()
    }
    return {data.reader.path: signature(every, ""), **lookups}


CLEAN = Step(
    "clean",
    reads=(),
    writes=("events", "quarantine", "items", "users"),
    sections=("data", "days"),
    run=run,
    inputs=_inputs,
)
