"""A contract's columns as Arrow types; delta-rs makes its schema of them."""

from __future__ import annotations

import pyarrow as pa

from landbridge.errors import LakeError
from landbridge.lake.contracts import Contract

_ATOMS = {
    "string": pa.string(),
    "double": pa.float64(),
    "float": pa.float32(),
    "bigint": pa.int64(),
    "long": pa.int64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(sql: str) -> pa.DataType:
    """Return the Arrow type of a Spark SQL type: an atom, ``array<...>`` or ``struct<name:...,...>``."""
    if sql in _ATOMS:
        return _ATOMS[sql]
    if sql.startswith("array<"):
        return pa.list_(arrow_type(sql[6:-1]))
    if sql.startswith("struct<"):
        fields = (part.split(":", 1) for part in _split(sql[7:-1]))
        return pa.struct([pa.field(name, arrow_type(kind)) for name, kind in fields])
    raise LakeError(f"the type {sql} has no Arrow counterpart here; known: {', '.join(_ATOMS)}, array, struct")


def arrow_schema(contract: Contract) -> pa.Schema:
    """Return the Arrow schema of a table, with comments as field metadata."""
    return pa.schema(
        [
            pa.field(name, arrow_type(column.type), column.nullable, {"comment": column.comment})
            for name, column in contract.columns.items()
        ]
    )


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]
