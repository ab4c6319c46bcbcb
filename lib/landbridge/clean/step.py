"""The step `clean`: the days that are new or changed go from files into events, quarantine, items and users."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.clean.attributes import changes
from landbridge.clean.audit import Counts, audit, count, observed
from landbridge.clean.catalogue import Listing, listing
from landbridge.clean.files import LogFile, find, find_catalogue, find_lookups, open_days, recipe, signature
from landbridge.clean.loaded import Loaded
from landbridge.clean.missing import missing_days, say_unlisted
from landbridge.clean.parse import HASH
from landbridge.clean.read import explained, read_raw
from landbridge.clean.rows import cleaned, events_of, quarantine_of
from landbridge.config.days import days_of
from landbridge.config.schema import Config
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
    missing = missing_days(night, files, loaded, open_days(config, days.first, night.ds, spark_lake.spark))
    made_by = recipe(config, spark_lake.spark)
    catalogues = find_catalogue(config, days.first, dt.date.max, spark_lake.spark)
    say_unlisted(night, files, catalogues)
    told = {day: [*found, *catalogues.get(day, ())] for day, found in files.items()}
    fresh = {day: found for day, found in files.items() if not loaded.is_current(day, told[day], made_by)}
    if not fresh:
        night.say("every file is loaded already")
        return Outcome(notes={"files": {}, "rules": {}, "rows": 0, "events": 0, "days": 0, "missing": missing})
    night.say(f"loading {len(fresh)} {'day' if len(fresh) == 1 else 'days'}, {min(fresh)} to {max(fresh)}")
    counts, listed = _load(night, spark_lake, fresh, catalogues)
    digests = night.lake.digests("events")
    signatures = {
        day.isoformat(): [signature(told[day], made_by), digests.get(day, ""), *_content(counts, day)]
        for day in sorted(fresh)
    }
    night.say(counts.sentence())
    notes = {"files": signatures, **counts.notes(), "missing": missing, **listed}
    return Outcome(notes=notes, metrics=counts.metrics())


def _load(
    night: Night,
    lake: SparkLake,
    fresh: Mapping[dt.date, Sequence[LogFile]],
    catalogues: Mapping[dt.date, Sequence[LogFile]],
) -> tuple[Counts, dict[str, Any]]:
    """Clean the days, check them, and write: nothing is written unless every day passed.

    Returns
    -------
    The counts, and what the ledger keeps of the catalogues.
    """
    config = night.config
    files = [file for found in fresh.values() for file in found]
    later = [day for day in lake.lake.days("events") if day > min(fresh) and day not in fresh]
    with explained(config.data.reader), listing(lake, config, sorted(fresh), later, catalogues) as listed:
        raw = read_raw(lake.spark, config.data, files)
        watched, read = observed(raw)
        rows = cleaned(watched, config).persist()
        try:
            counts = count(raw, read, rows, None if listed is None else _identity(config))
            audit(counts, fresh, config)
            _write(night, lake, rows, sorted(fresh), later, listed)
        finally:
            rows.unpersist()
    if listed is None:
        return counts, {}
    night.say(listed.sentence())
    return counts, listed.notes()


def _identity(config: Config) -> Column:
    """A number for each event: a day that is loaded again for its catalogue alone has the numbers it had."""
    columns = (F.col(name).cast("string").alias(name) for name in config.data.columns)
    return F.xxhash64(F.to_json(F.struct(F.col(HASH), *columns)))


def _content(counts: Counts, day: dt.date) -> list[str]:
    found = counts.days[day].content
    return [found] if found else []


def _write(
    night: Night,
    lake: SparkLake,
    rows: DataFrame,
    days: Sequence[dt.date],
    later: Sequence[dt.date],
    listed: Listing | None,
) -> None:
    """Write all four tables, each in one commit."""
    where = f"ds IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days)})"
    events, quarantine = events_of(rows), quarantine_of(rows)
    everything = _with_others(lake, events, later)
    items, users = night.config.data.items, night.config.data.users
    told = None if listed is None else listed.items
    together(
        lambda: lake.replace(
            "quarantine", _by_day(quarantine, "file", "row_hash", "occurrence"), where, night.fingerprint
        ),
        lambda: lake.replace("events", _by_day(events, "scenario", "ts", "event_id"), where, night.fingerprint),
        lambda: _write_changes(night, lake, everything, days[0], "items", "item_id", items, told),
    )
    _write_changes(night, lake, everything, days[0], "users", "user_id", users)


def _by_day(rows: DataFrame, *order: str) -> DataFrame:
    """Rebalanced by day: about a file a day, more for a day that is too large for one task."""
    return rows.hint("rebalance", "ds").sortWithinPartitions("ds", *order)


def _write_changes(
    night: Night,
    lake: SparkLake,
    events: DataFrame,
    since: dt.date,
    name: str,
    key: str,
    attributes: Mapping[str, str],
    listed: DataFrame | None = None,
) -> None:
    where = f"{night.config.name}.yaml: data.{name}"
    columns = {attribute: expression(events, sql, f"{where}.{attribute}") for attribute, sql in attributes.items()}
    changed = changes(events, lake.table(name), since, key, columns, listed)
    # replaceWhere and not MERGE: what follows from the days is known whole, and rows that no longer follow must go.
    ordered = changed.hint("rebalance").sortWithinPartitions(key, "valid_from")
    lake.replace(name, ordered, f"valid_from >= DATE '{since}'", night.fingerprint)


def _with_others(lake: SparkLake, events: DataFrame, later: Sequence[dt.date]) -> DataFrame:
    """The events just loaded and those of later days that were loaded before."""
    own = events.select(*lake.lake.contract("events").columns)
    if not later:
        return own
    return own.unionByName(lake.table("events").where(F.col("ds").isin(later)))


def _inputs(night: Night) -> Mapping[str, str]:
    data = night.config.data
    sources = (data.reader, *data.lookups.values(), *([] if data.catalogue is None else [data.catalogue]))
    is_remote = any("://" in source.path for source in sources)
    spark = night.spark_lake().spark if is_remote else None
    first = days_of(night.config, night.ds).first
    found = find(night.config, first, night.ds, spark)
    every = [file for files in found.values() for file in files]
    others = {
        data.lookups[name].path: signature(files, "") for name, files in find_lookups(night.config, spark).items()
    }
    if data.catalogue is not None:
        catalogues = find_catalogue(night.config, first, night.ds, spark)
        others[data.catalogue.path] = signature([file for day in found for file in catalogues.get(day, ())], "")
    return {data.reader.path: signature(every, ""), **others}


CLEAN = Step(
    "clean",
    reads=(),
    writes=("events", "quarantine", "items", "users"),
    sections=("data", "days"),
    run=run,
    inputs=_inputs,
)
