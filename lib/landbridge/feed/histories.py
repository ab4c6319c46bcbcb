"""The row of `histories` that belongs to an example: what was known of its user just before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.errors import DataError
from landbridge.feed.hashing import chained, hash_strings
from landbridge.feed.interactions import microseconds
from landbridge.lake.lake import Lake

_KEY = ("user_id", "ts", "scenario")


def with_histories(lake: Lake, examples: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Add the columns `history` and `names` (features of the user) to rows of `examples`.

    Parameters
    ----------
    examples
        With the columns ds, user_id, ts and scenario. Only their histories are held in memory.

    Raises
    ------
    DataError
        An example has no history: the tables are not those of one night.
    """
    asked_N = _keys(examples)
    wanted, days = np.unique(asked_N), pc.unique(examples["ds"])
    where = pc.field("ds").isin(days) & pc.field("scenario").isin(pc.unique(examples["scenario"]))
    keys, parts = [], []
    for batch in lake.scan("histories", columns=[*_KEY, "history", *names], where=where):
        key = _keys(batch)
        mine = np.flatnonzero(np.isin(key, wanted))
        keys.append(key[mine])
        parts.append(batch.select(["history", *names]).take(pa.array(mine)))
    row_N = rows_of(np.concatenate(keys) if keys else np.empty(0, np.uint64), asked_N)
    if len(row_N):
        found = pa.Table.from_batches(parts).take(pa.array(row_N))
        for name in found.column_names:
            examples = examples.append_column(name, found[name])
    return examples


def rows_of(key_H: NDArray[np.uint64], asked_N: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the row of each asked key among the keys of histories, which are distinct."""
    order = np.argsort(key_H)
    place = np.searchsorted(key_H, asked_N, sorter=order)
    known = place < len(key_H)
    known[known] = key_H[order[place[known]]] == asked_N[known]
    if not known.all():
        raise DataError(
            f"{int((~known).sum())} of {len(known)} examples have no row in the table histories: they are not of one "
            "night; run the step featurize again with --force"
        )
    row: NDArray[np.intp] = order[place]
    return row


def _keys(rows: Any) -> NDArray[np.uint64]:
    user, scenario = (hash_strings(_combined(rows[name])) for name in ("user_id", "scenario"))
    return chained(user, microseconds(_combined(rows["ts"])), scenario)


def _combined(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
