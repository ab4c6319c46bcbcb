"""The ledger: one row for every run of a step, in a Delta table that delta-rs appends to."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake


@dataclass(frozen=True)
class Row:
    """A run of a step, as the ledger keeps it; mappings are JSON in the table."""

    ds: dt.date
    step: str
    generation: int
    fingerprint: str
    code: Mapping[str, str]
    configuration: Mapping[str, str]
    reads: Mapping[str, str]
    writes: Mapping[str, int]
    notes: Mapping[str, Any]
    git_revision: str
    seconds: float
    peak_memory_mb: float

    @property
    def rolled_back(self) -> str:
        """What a rollback put in the place of the night's own lists, in words; empty where none stands."""
        return str(self.notes.get("rollback", {}).get("says", ""))


_JSON = ("code", "configuration", "reads", "writes", "notes")


@dataclass(frozen=True)
class Ledger:
    """What ran on a lake."""

    lake: Lake

    def rows(self, ds: dt.date, step: str | None = None) -> list[Row]:
        """Return the runs for a day, of one step or of all, by step and generation."""
        if not self.lake.exists("ledger"):
            return []
        condition = pc.field("ds") == pa.scalar(ds)
        if step is not None:
            condition = condition & (pc.field("step") == step)
        table = self.lake.read("ledger", where=condition)
        return sorted((_row(values) for values in table.to_pylist()), key=lambda row: (row.step, row.generation))

    def last(self, ds: dt.date, step: str) -> Row | None:
        """Return the newest run of a step for a day, or None."""
        rows = self.rows(ds, step)
        return rows[-1] if rows else None

    def before(self, ds: dt.date, step: str) -> Row | None:
        """Return the newest run of a step for the newest earlier day that has one, or None."""
        if not self.lake.exists("ledger"):
            return None
        condition = (pc.field("ds") < pa.scalar(ds)) & (pc.field("step") == step)
        rows = self.lake.read("ledger", where=condition).to_pylist()
        return _row(max(rows, key=lambda row: (row["ds"], row["generation"]))) if rows else None

    def latest(self, ds: dt.date) -> dict[str, Row]:
        """Return the newest run of every step for a day."""
        return {row.step: row for row in self.rows(ds)}

    def add(self, row: Row) -> None:
        """Append a run."""
        values = asdict(row)
        for name in _JSON:
            values[name] = json.dumps(values[name], sort_keys=True, ensure_ascii=False, default=str)
        table = pa.Table.from_pylist([values], schema=arrow_schema(self.lake.contract("ledger")))
        self.lake.append("ledger", table, row.fingerprint)


def _row(values: dict[str, Any]) -> Row:
    return Row(**{name: json.loads(value) if name in _JSON else value for name, value in values.items()})
