"""Which daily files there are, and whether they are those that were loaded."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from landbridge.config.schema import Config
from landbridge.errors import DataError
from landbridge.lake.expressions import expression
from landbridge.lake.files import by_day, listed


@dataclass(frozen=True, order=True)
class LogFile:
    """A file: the day it is of, where it is, and what tells it from another one of the same name."""

    day: dt.date
    path: str
    size: int
    modified: int


def find(
    config: Config, since: dt.date, until: dt.date, spark: SparkSession | None = None
) -> dict[dt.date, list[LogFile]]:
    """Return the files of the days from `since` up to and with `until`, by day; days without files are not in it.

    A path with a scheme (``s3a://``) is listed through Hadoop, which needs the session.
    """
    return _by_day(config.data.reader.path, config, since, until, spark)


def find_catalogue(
    config: Config, since: dt.date, until: dt.date, spark: SparkSession | None = None
) -> dict[dt.date, list[LogFile]]:
    """Return the files that list the items of these days, by day."""
    catalogue = config.data.catalogue
    return {} if catalogue is None else _by_day(catalogue.path, config, since, until, spark)


def find_lookups(config: Config, spark: SparkSession | None = None) -> dict[str, list[LogFile]]:
    """Return the files of every lookup by its name; they belong to no day in particular.

    Raises
    ------
    DataError
        If there is no file of one.
    """
    found = {
        name: [LogFile(config.data.reader.first_day, *told) for told in sorted(listed(lookup.path, spark))]
        for name, lookup in config.data.lookups.items()
    }
    for name, files in found.items():
        if not files:
            raise DataError(
                f"there is no file of data.lookups.{name}: {config.data.lookups[name].path} matches nothing; "
                "put it there, or correct the path"
            )
    return found


def expected_path(config: Config, day: dt.date) -> str:
    """Where the day's file should be."""
    return config.data.reader.path.replace("{ds}", day.isoformat())


def signature(files: Iterable[LogFile], recipe: str) -> str:
    """Identity of a day: its files and the recipe they are cleaned by."""
    told = [f"{file.path.rsplit('/', 1)[-1]} {file.size} {file.modified}" for file in sorted(files)]
    return hashlib.sha256("\n".join([recipe, *told]).encode()).hexdigest()[:12]


def recipe(config: Config, spark: SparkSession | None = None) -> str:
    """Hash of the section `data`, the files of the lookups, and this room's source files.

    A day cleaned by another recipe is cleaned again.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    lookups = " ".join(signature(files, name) for name, files in find_lookups(config, spark).items())
    return hashlib.sha256(f"{code} {config.data.model_dump_json()} {lookups}".encode()).hexdigest()[:12]


def open_days(config: Config, since: dt.date, until: dt.date, spark: SparkSession) -> list[dt.date]:
    """Return the days on which a file is expected."""
    days = spark.range((until - since).days + 1).selectExpr(f"date_add(DATE '{since}', cast(id as int)) as ds")
    closed = config.data.reader.closed
    if closed is not None:
        days = days.where(~expression(days, closed, f"{config.name}.yaml: data.reader.closed"))
    return sorted(row.ds for row in days.collect())


def _by_day(
    place: str, config: Config, since: dt.date, until: dt.date, spark: SparkSession | None
) -> dict[dt.date, list[LogFile]]:
    reader = config.data.reader
    if reader.is_snapshot:
        day = reader.first_day
        every = [LogFile(day, *told) for told in sorted(listed(place, spark))]
        return {day: every} if every and since <= day <= until else {}
    return {day: [LogFile(day, *told) for told in found] for day, found in by_day(place, since, until, spark).items()}
