"""Which daily files there are, and whether they are those that were loaded."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pyspark.sql import SparkSession

from landbridge.config.data import Reader
from landbridge.config.schema import Config
from landbridge.errors import DataError
from landbridge.lake.expressions import expression

_DAY = "([0-9]{4}-[0-9]{2}-[0-9]{2})"


@dataclass(frozen=True, order=True)
class LogFile:
    """A file: the day it is of, where it is, and what tells it from another one of the same name."""

    day: dt.date
    path: str
    size: int
    modified: int


def tail_pattern(reader: Reader) -> str:
    """Return a pattern of the end of a file's path, from the folder or name that holds {ds}; group 1 is the day."""
    parts = PurePosixPath(reader.path).parts
    first = next(position for position, part in enumerate(parts) if "{ds}" in part)
    tail = re.escape("/".join(parts[first:])).replace(re.escape("{ds}"), _DAY)
    return tail.replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "$"


def find(
    config: Config, since: dt.date, until: dt.date, spark: SparkSession | None = None
) -> dict[dt.date, list[LogFile]]:
    """Return the files of the days from `since` up to and with `until`, by day; days without files are not in it.

    A path with a scheme (``s3a://``) is listed through Hadoop, which needs the session.
    """
    pattern = re.compile("(^|/)" + tail_pattern(config.data.reader).replace(_DAY, f"(?P<day>{_DAY[1:-1]})", 1))
    found: dict[dt.date, list[LogFile]] = {}
    for path, size, modified in sorted(_listed(config.data.reader, spark)):
        match = pattern.search(path)
        day = _day_of(match["day"]) if match else None
        if day is not None and since <= day <= until:
            found.setdefault(day, []).append(LogFile(day, path, size, modified))
    return found


def expected_path(config: Config, day: dt.date) -> str:
    """Where the day's file should be."""
    return config.data.reader.path.replace("{ds}", day.isoformat())


def signature(files: Iterable[LogFile], recipe: str) -> str:
    """Identity of a day: its files and the recipe they are cleaned by."""
    told = [f"{file.path.rsplit('/', 1)[-1]} {file.size} {file.modified}" for file in sorted(files)]
    return hashlib.sha256("\n".join([recipe, *told]).encode()).hexdigest()[:12]


def recipe(config: Config) -> str:
    """Hash of the section `data` and of this room's source files: a day cleaned by another recipe is cleaned again."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    return hashlib.sha256(f"{code} {config.data.model_dump_json()}".encode()).hexdigest()[:12]


def open_days(config: Config, since: dt.date, until: dt.date, spark: SparkSession) -> list[dt.date]:
    """Return the days on which a file is expected."""
    days = spark.range((until - since).days + 1).selectExpr(f"date_add(DATE '{since}', cast(id as int)) as ds")
    closed = config.data.reader.closed
    if closed is not None:
        days = days.where(~expression(days, closed, f"{config.name}.yaml: data.reader.closed"))
    return sorted(row.ds for row in days.collect())


def _listed(reader: Reader, spark: SparkSession | None) -> Iterator[tuple[str, int, int]]:
    glob = reader.path.replace("{ds}", "????-??-??")
    if "://" not in glob:
        yield from _local(glob)
    elif spark is None:
        raise DataError(f"{reader.path}: an object store is listed through Spark, and there is no session")
    else:
        yield from _hadoop(glob, spark)


def _local(glob: str) -> Iterator[tuple[str, int, int]]:
    parts = Path(glob).absolute().parts
    fixed = next(position for position, part in enumerate(parts) if any(sign in part for sign in "*?["))
    base = Path(*parts[:fixed])
    for path in base.glob("/".join(parts[fixed:])):
        stat = path.stat()
        yield str(path), stat.st_size, stat.st_mtime_ns


def _hadoop(glob: str, spark: SparkSession) -> Iterator[tuple[str, int, int]]:
    jvm = spark._jvm
    assert jvm is not None
    path = jvm.org.apache.hadoop.fs.Path(glob)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    for status in system.globStatus(path) or []:
        yield status.getPath().toString(), status.getLen(), status.getModificationTime()


def _day_of(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
