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
from landbridge.clean.files import (
    LogFile,
    expected_path,
    find,
    find_catalogue,
    find_lookups,
    open_days,
    recipe,
    signature,
)
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
from landbridge.clean.read import DAY, FILE, explained, read_raw
from landbridge.clean.rules import apply_rules
from landbridge.config.days import days_of
from landbridge.config.schema import Config
from landbridge.errors import DataError
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
    catalogues = find_catalogue(config, days.first, dt.date.max, spark_lake.spark)
    _say_unlisted(night, files, catalogues)
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
            f"warning: no file of {_shown(lost)}; the night goes on without; a file that comes later is loaded then"
        )
    gone = [day for day in absent if day in loaded.digests]
    if gone:
        night.say(f"warning: the file of {_shown(gone)} is gone; what was loaded from it stays")
    return [day.isoformat() for day in lost]


def _say_unlisted(
    night: Night, files: Mapping[dt.date, Sequence[LogFile]], catalogues: Mapping[dt.date, Sequence[LogFile]]
) -> None:
    """Say that ds has no catalogue; earlier days said so in their nights."""
    catalogue = night.config.data.catalogue
    if catalogue is not None and night.ds in files and night.ds not in catalogues:
        expected = catalogue.path.replace("{ds}", night.ds.isoformat())
        night.say(f"there is no catalogue of {night.ds} ({expected}); its items are those that have events")


def _shown(days: Sequence[dt.date]) -> str:
    shown = ", ".join(day.isoformat() for day in days[:5])
    return shown if len(days) <= 5 else f"{shown} and {len(days) - 5} more days"


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
