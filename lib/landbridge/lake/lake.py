"""The lake as delta-rs sees it: paths, versions, digests, and Arrow in and out. Never imports Spark.

A table has one writer: delta-rs writes `metrics`, `ledger`, `recommendations` and `scores`, Spark
writes all others.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from landbridge.config.schema import Config
from landbridge.errors import LakeError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.contracts import Contract, contracts
from landbridge.lake.store import flat, unreachable

FINGERPRINT = "landbridge.fingerprint"


@dataclass(frozen=True)
class Lake:
    """All tables of one configuration under one root.

    Versions can be pinned: `at` names table versions that every read then uses.
    """

    config: Config
    at: tuple[tuple[str, int], ...] = ()

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        """Contracts by table."""
        return contracts(self.config)

    def path(self, name: str) -> str:
        """Path of a table as Spark spells it (``s3a://`` for an object store)."""
        self.contract(name)
        root = self.config.root
        return f"{Path(root).resolve()}/lake/{name}" if self.config.is_local else f"{root}/lake/{name}"

    def contract(self, name: str) -> Contract:
        """Contract of a table."""
        if name not in self.contracts:
            raise LakeError(f"there is no table {name}; tables: {', '.join(self.contracts)}")
        return self.contracts[name]

    def pinned(self, **versions: int) -> Lake:
        """The same lake, read at the named versions."""
        return Lake(self.config, tuple(sorted({**dict(self.at), **versions}.items())))

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        try:
            return DeltaTable.is_deltatable(self._uri(name), storage_options=self.config.storage)
        except (DeltaError, OSError) as error:
            raise LakeError(unreachable(self.config, error)) from None

    def delta(self, name: str) -> DeltaTable:
        """The table, at its pinned version if it has one."""
        try:
            return DeltaTable(self._uri(name), version=dict(self.at).get(name), storage_options=self.config.storage)
        except TableNotFoundError:
            raise LakeError(
                f"the table {name} does not exist at {self.path(name)}; run the step that writes it"
            ) from None
        except (DeltaError, OSError) as error:
            raise LakeError(f"the table {name} at {self.path(name)} cannot be read: {flat(error)}") from None

    def version(self, name: str) -> int:
        """The table's version; -1 where it does not exist."""
        return int(self.delta(name).version()) if self.exists(name) else -1

    def digest(self, name: str, until: dt.date | None = None) -> str:
        """Identity of the table's content: a hash of its files' names, up to a day where it is partitioned by day.

        Files are immutable, so equal digests mean equal content.
        """
        if not self.exists(name):
            return ""
        files = self.delta(name).file_uris()
        names = [file.removeprefix(self._uri(name)) for file in files]
        if until is not None and self.contract(name).partition == ("ds",):
            names = [file for file in names if _partition_day(file) <= until.isoformat()]
        return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]

    def digests(self, name: str) -> dict[dt.date, str]:
        """Identity of each day's content of a table partitioned by day: a hash of the names of its files."""
        if not self.exists(name):
            return {}
        by_day: dict[str, list[str]] = {}
        for file in sorted(self.delta(name).file_uris()):
            by_day.setdefault(_partition_day(file), []).append(file.rsplit("/", 1)[-1])
        return {
            dt.date.fromisoformat(day): hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
            for day, names in by_day.items()
        }

    def days(self, name: str) -> list[dt.date]:
        """Days that have rows, ascending, of a table partitioned by day."""
        if not self.exists(name):
            return []
        values = {part["ds"] for part in self.delta(name).partitions()}
        return sorted(dt.date.fromisoformat(str(value)) for value in values)

    def fingerprint(self, name: str) -> str | None:
        """The fingerprint that the newest commit of the table carries, or None."""
        if not self.exists(name):
            return None
        history = self.delta(name).history(limit=1)
        if not history:
            return None
        return _fingerprint_of(history[0])

    def scan(
        self,
        name: str,
        since: dt.date | None = None,
        until: dt.date | None = None,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
        batch_rows: int = 131_072,
    ) -> pa.RecordBatchReader:
        """Stream batches of the days after `since` up to and with `until`; fewer rows a batch where rows are wide."""
        condition = where
        for test in (
            since is not None and pc.field("ds") > pa.scalar(since),
            until is not None and pc.field("ds") <= pa.scalar(until),
        ):
            if test is not False:
                condition = test if condition is None else condition & test
        dataset: pads.Dataset = self.delta(name).to_pyarrow_dataset()
        scanner = dataset.scanner(
            columns=list(columns) if columns else None, filter=condition, batch_size=batch_rows, fragment_readahead=1
        )
        return scanner.to_reader()

    def read(
        self,
        name: str,
        since: dt.date | None = None,
        until: dt.date | None = None,
        columns: Sequence[str] | None = None,
        where: pc.Expression | None = None,
    ) -> pa.Table:
        """The same as one table in memory; for what is small or of one rank's size."""
        return self.scan(name, since, until, columns, where).read_all()

    def replace_day(self, name: str, rows: pa.Table, ds: dt.date, fingerprint: str) -> int:
        """Replace a day of a table that delta-rs writes, in one commit; return the version."""
        self.create(name)
        return self._write(name, rows, mode="overwrite", predicate=f"ds = '{ds.isoformat()}'", fingerprint=fingerprint)

    def append(self, name: str, rows: pa.Table, fingerprint: str) -> int:
        """Append to a table that delta-rs writes; return the version."""
        self.create(name)
        return self._write(name, rows, mode="append", predicate=None, fingerprint=fingerprint)

    def create(self, name: str) -> None:
        """Create a table with its contract unless it exists; constraints need `SparkLake.create`."""
        if self.exists(name):
            return
        contract = self.contract(name)
        try:
            DeltaTable.create(
                self._uri(name),
                schema=arrow_schema(contract),
                mode="ignore",
                partition_by=list(contract.partition) or None,
                name=name,
                description=contract.comment,
                configuration=dict(contract.properties),
                storage_options=self.config.storage,
                raise_if_key_not_exists=False,
            )
        except (DeltaError, OSError) as error:
            raise LakeError(unreachable(self.config, error)) from None

    def _write(self, name: str, rows: pa.Table, mode: Any, predicate: str | None, fingerprint: str) -> int:
        rows = rows.select(list(self.contract(name).columns)).cast(arrow_schema(self.contract(name)))
        try:
            write_deltalake(
                self._uri(name),
                rows,
                mode=mode,
                predicate=predicate,
                storage_options=self.config.storage,
                commit_properties=CommitProperties(custom_metadata={FINGERPRINT: fingerprint}),
            )
        except (DeltaError, OSError) as error:
            raise LakeError(
                f"the table {name} at {self.path(name)} cannot be written: {flat(error)}; "
                "free or unlock the place, then run the same command"
            ) from None
        return int(self.delta(name).version())

    def _uri(self, name: str) -> str:
        return self.path(name).replace("s3a://", "s3://")


def _partition_day(file: str) -> str:
    _, _, rest = file.partition("ds=")
    return rest[:10]


def _fingerprint_of(commit: dict[str, Any]) -> str | None:
    value = commit.get(FINGERPRINT)
    if value is None and commit.get("userMetadata"):
        try:
            value = json.loads(commit["userMetadata"]).get(FINGERPRINT)
        except ValueError:
            return None
    return None if value is None else str(value)
