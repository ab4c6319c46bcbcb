"""Write, audit, publish: Parquet files lie beside a table, uncommitted, until one commit makes them its day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deltalake import CommitProperties
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from landbridge.errors import LakeError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import FINGERPRINT, Lake


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file of a day: its name, bytes, the millisecond it was written, its rows, bounds of some columns."""

    name: str
    size: int
    modified: int
    rows: int
    low: Mapping[str, str]
    high: Mapping[str, str]


def staging(lake: Lake, name: str, ds: dt.date, fingerprint: str) -> str:
    """Return the folder, relative to the table, for the files of a day that is not committed yet.

    It is named after the version to come, so that files of a committed version are never written over, while what a
    killed run left behind is. It lies in the day's partition, where VACUUM finds what was never committed.
    """
    return f"ds={ds.isoformat()}/v{lake.version(name) + 1:06d}-{fingerprint[:8] or 'none'}"


def publish_day(lake: Lake, name: str, ds: dt.date, folder: str, files: Sequence[StagedFile], fingerprint: str) -> int:
    """Replace a day of the table by the staged files, in one commit; return the version.

    Raises
    ------
    LakeError
        If there are no files, or the commit fails; the last version stands.
    """
    if not files:
        raise LakeError(f"nothing was written for {ds} of {name}, so nothing is published; the last version stands")
    actions: list[AddAction | RemoveAction] = [
        AddAction(f"{folder}/{file.name}", file.size, {"ds": ds.isoformat()}, file.modified, True, _statistics(file))
        for file in files
    ]
    try:
        lake.delta(name).create_write_transaction(
            actions,
            "overwrite",
            arrow_schema(lake.contract(name)),
            partition_by=["ds"],
            partition_filters=[("ds", "=", ds.isoformat())],
            commit_properties=CommitProperties(custom_metadata={FINGERPRINT: fingerprint}),
        )
    except (DeltaError, OSError) as error:
        raise LakeError(
            f"the day {ds} of {name} at {lake.path(name)} was not committed, its last version stands: {error}"
        ) from None
    return lake.version(name)


def _statistics(file: StagedFile) -> str:
    return json.dumps(
        {"numRecords": file.rows, "minValues": dict(file.low), "maxValues": dict(file.high), "nullCount": {}}
    )
