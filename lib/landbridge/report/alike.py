"""Users whose last items mean the same as a user's, in whatever scenario, out of the table `user_vectors`."""

from __future__ import annotations

import datetime as dt
from heapq import nsmallest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rich.table import Table

from landbridge.errors import DataError
from landbridge.lake.lake import Lake
from landbridge.report.facts import scan
from landbridge.report.people import events_of, titles_of
from landbridge.report.plain import plain_table

_NAMED = 3


def alike(lake: Lake, user: str, ds: dt.date, count: int) -> list[tuple[str, float]]:
    """Return the users whose vectors are nearest to a user's, and the cosines, the nearest first, ties by id.

    The table is read once, a batch at a time. Who was encoded after `ds` is not among them.

    Raises
    ------
    DataError
        The user has no vector.
    """
    own = _newest(lake, user, ds)
    vector_D = _of_length_one(np.array([own["vector"]], np.float32))[0]
    others = (pc.field("ds") <= pa.scalar(ds)) & (pc.field("user_id") != user)
    same = (pc.field("encoder") == own["encoder"]) & (pc.field("revision") == own["revision"])
    best: list[tuple[float, str]] = []
    for batch in scan(lake, "user_vectors", ["user_id", "vector"], others & same):
        if batch.num_rows:
            away = -(_vectors(batch) @ vector_D)
            best = nsmallest(count, [*best, *zip(away.tolist(), batch["user_id"].to_pylist(), strict=True)])
    return [(other, -away) for away, other in best]


def _newest(lake: Lake, user: str, ds: dt.date) -> dict[str, Any]:
    """The user's row of the encoder that read him last."""
    known = (pc.field("ds") <= pa.scalar(ds)) & (pc.field("user_id") == user)
    columns = ["encoder", "revision", "vector", "ds"]
    rows = [row for batch in scan(lake, "user_vectors", columns, known) for row in batch.to_pylist()]
    if not rows:
        raise DataError(
            f"the user {user!r} has no vector on {ds}: encode.users makes one of every user who had to do with an item "
            "that has a text; add it and run the night, or ask about another user"
        )
    return max(rows, key=lambda row: (row["ds"], row["encoder"], row["revision"]))


def alike_table(lake: Lake, user: str, ds: dt.date, count: int) -> Table:
    """Return them with their scenarios and what they had to do with last, as a person reads it."""
    found = alike(lake, user, ds, count)
    states = _states(lake, ds, [other for other, _ in found])
    names = titles_of(lake, ds, {event["item_id"] for row in states.values() for event in row["history"][-_NAMED:]})
    table = plain_table(
        "User",
        "Cosine",
        "Scenarios",
        "Last items",
        title=f"Users whose last items mean the same as those of {user}",
    )
    for other, cosine in found:
        row = states.get(other, {"scenarios": [], "history": []})
        last = [event.title or event.item_id for event in events_of(row["history"][-_NAMED:], names)]
        table.add_row(other, f"{cosine:.3f}", ", ".join(row["scenarios"]), "; ".join(last))
    return table


def _states(lake: Lake, ds: dt.date, users: list[str]) -> dict[str, dict[str, Any]]:
    known = (pc.field("ds") == pa.scalar(ds)) & pc.field("user_id").isin(pa.array(users, pa.string()))
    columns = ["user_id", "scenarios", "history"]
    return {row["user_id"]: row for batch in scan(lake, "user_state", columns, known) for row in batch.to_pylist()}


def _vectors(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """The vectors of a batch, one a row, of length one."""
    flat = batch["vector"].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return _of_length_one(flat.reshape(batch.num_rows, -1))


def _of_length_one(vector_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    length_N1 = np.linalg.norm(vector_ND, axis=1, keepdims=True)
    unit_ND: NDArray[np.float32] = (vector_ND / np.maximum(length_N1, 1e-12)).astype(np.float32)
    return unit_ND
