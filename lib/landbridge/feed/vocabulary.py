"""Ids of items, scenarios and event types. An id once given never changes; 0 is unknown and padding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
from numpy.typing import NDArray

from landbridge.errors import DataError
from landbridge.lake.lake import Lake

FIELDS = ("item_id", "scenario", "event_type")
_FILE = "vocabulary.arrow"


@dataclass(frozen=True)
class Vocabulary:
    """Values by field; the value at position i has the id i + 1.

    A position that no value has (an id that a table does not use yet) is null and matches nothing.
    """

    fields: Mapping[str, pa.StringArray]

    @classmethod
    def load(cls, lake: Lake) -> Self:
        """Read the table `vocabulary` at its pinned version."""
        return cls.of(lake.read("vocabulary", columns=["field", "value", "id"]))

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """Return the vocabulary of rows with the columns field, value, id.

        Raises
        ------
        DataError
            If an id stands for two values, or is below 1.
        """
        return cls({field: _placed(field, rows.filter(pc.field("field") == field)) for field in FIELDS})

    def encode(self, field: str, values: Any) -> NDArray[np.int32]:
        """Return the ids of an Arrow array of strings, 0 where a value is unknown or null."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        index = pc.index_in(values.cast(pa.string()), value_set=self.values(field), skip_nulls=True)
        ids: NDArray[np.int32] = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(
            np.int32, copy=False
        ) + np.int32(1)
        return ids

    def id(self, field: str, value: str) -> int:
        """Return the id of one value, 0 if it is unknown."""
        return int(self.encode(field, pa.array([value], pa.string()))[0])

    def decode(self, field: str, ids: NDArray[np.integer[Any]]) -> pa.StringArray:
        """Return the values of ids, null for 0."""
        index = pa.array(np.asarray(ids, np.int64) - 1, mask=np.asarray(ids) <= 0)
        return self.values(field).take(index)

    def values(self, field: str) -> pa.StringArray:
        """The values of a field; position i has the id i + 1."""
        if field not in self.fields:
            raise DataError(f"the vocabulary has no field {field}; fields: {', '.join(self.fields)}")
        return self.fields[field]

    def size(self, field: str) -> int:
        """The largest id plus one: how many rows an embedding table of the field has, the one of 0 included."""
        return len(self.values(field)) + 1

    @cached_property
    def digest(self) -> str:
        """Identity of the content."""
        digest = hashlib.sha256()
        for field in FIELDS:
            digest.update(f"{field}\n".encode())
            digest.update("\n".join(str(value) for value in self.values(field).to_pylist()).encode())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write the vocabulary into an existing folder, as Arrow."""
        rows = pa.concat_tables(
            [
                pa.table(
                    {
                        "field": pa.array([field] * len(values), pa.string()),
                        "value": values,
                        "id": pa.array(np.arange(1, len(values) + 1, dtype=np.int64)),
                    }
                )
                for field, values in self.fields.items()
            ]
        )
        feather.write_feather(rows.filter(pc.is_valid(rows["value"])), str(folder / _FILE), compression="zstd")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls.of(feather.read_table(str(folder / _FILE), memory_map=False))


def _placed(field: str, rows: pa.Table) -> pa.StringArray:
    """Put every value at its id minus one."""
    ids = rows["id"].to_numpy().astype(np.int64)
    if len(ids) and (ids.min() < 1 or len(np.unique(ids)) < len(ids)):
        raise DataError(
            f"vocabulary: the ids of {field} are not distinct numbers from 1; restore the table to an earlier version"
        )
    source = np.full(int(ids.max(initial=0)), -1, np.int64)
    source[ids - 1] = np.arange(len(ids))
    return rows["value"].combine_chunks().cast(pa.string()).take(pa.array(source, mask=source < 0))
