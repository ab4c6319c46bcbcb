"""Files outside the lake, by name: on this machine, or on an object store through Hadoop."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pyspark.sql import SparkSession

from landbridge.errors import DataError

_DAY = "([0-9]{4}-[0-9]{2}-[0-9]{2})"
Told = tuple[str, int, int]
"""Path, size and moment of the last change: what tells a file from another one of the same name."""


def tail_pattern(path: str) -> str:
    """Return a pattern of the end of a file's path, from the folder or name that holds {ds}; group 1 is the day.

    Of a snapshot it is the name alone.
    """
    parts = PurePosixPath(path).parts
    first = next((position for position, part in enumerate(parts) if "{ds}" in part), len(parts) - 1)
    tail = re.escape("/".join(parts[first:])).replace(re.escape("{ds}"), _DAY)
    return tail.replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "$"


def by_day(place: str, since: dt.date, until: dt.date, spark: SparkSession | None = None) -> dict[dt.date, list[Told]]:
    """Return what matches a path with {ds} in it, by its day, from `since` up to and with `until`; sorted."""
    pattern = re.compile("(^|/)" + tail_pattern(place).replace(_DAY, f"(?P<day>{_DAY[1:-1]})", 1))
    found: dict[dt.date, list[Told]] = {}
    for told in sorted(listed(place, spark)):
        match = pattern.search(told[0])
        named = _day_of(match["day"]) if match else None
        if named is not None and since <= named <= until:
            found.setdefault(named, []).append(told)
    return found


def listed(path: str, spark: SparkSession | None = None) -> Iterator[Told]:
    """Yield what matches a path or pattern, of any day; a path with a scheme (``s3a://``) needs the session.

    Raises
    ------
    DataError
        There is a scheme, and no session.
    """
    glob = path.replace("{ds}", "????-??-??")
    if "://" not in glob:
        yield from _local(glob)
    elif spark is None:
        raise DataError(f"{path}: an object store is listed through Spark, and there is no session")
    else:
        yield from _hadoop(glob, spark)


def _local(glob: str) -> Iterator[Told]:
    parts = Path(os.path.normpath(Path(glob).absolute())).parts
    fixed = next((position for position, part in enumerate(parts) if any(sign in part for sign in "*?[")), -1)
    base = Path(*parts[:fixed])
    for path in base.glob("/".join(parts[fixed:])):
        stat = path.stat()
        yield str(path), stat.st_size, stat.st_mtime_ns


def _hadoop(glob: str, spark: SparkSession) -> Iterator[Told]:
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
