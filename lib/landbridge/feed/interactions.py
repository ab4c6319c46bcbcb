"""Who had to do with what, where and when: the flat view that simple contenders and the evaluation read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Interactions:
    """Rows of `examples` as arrays of length N, sorted by (user, ts, item).

    User codes are local to the object and stay the same in what is derived from it; they are in the order of the ids.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    scenario: NDArray[np.int32]
    ts: NDArray[np.int64]
    """Microseconds since the epoch, UTC."""
    day: NDArray[np.int32]
    """Days since the epoch, in the configured time zone."""
    had: NDArray[np.bool_]
    user_ids: pa.StringArray
    """The id of every code, ascending."""
    vocabulary: Vocabulary

    def __len__(self) -> int:
        """The number of rows N."""
        return len(self.user)

    @classmethod
    def read(cls, lake: Lake, vocabulary: Vocabulary, until: dt.date, users: pc.Expression | None = None) -> Self:
        """Stream the examples up to and with `until`; `users` is a filter over the table's columns."""
        names = ("item", "scenario", "ts", "day", "had")
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        user_chunks = []
        for batch in lake.scan(
            "examples", until=until, columns=["user_id", "item_id", "scenario", "ts", "ds", "had"], where=users
        ):
            if batch.num_rows == 0:
                continue
            user_chunks.append(batch["user_id"].dictionary_encode())
            for name, values in zip(names, _encoded(batch, vocabulary), strict=True):
                parts[name].append(values)
        code, user_ids = _user_codes(user_chunks)
        empty: NDArray[np.int64] = np.empty(0, np.int64)
        item, scenario, ts, day, had = (np.concatenate(parts[name]) if parts[name] else empty for name in names)
        order = np.lexsort((scenario, item, ts, code))
        return cls(
            code[order],
            item[order].astype(np.int32, copy=False),
            scenario[order].astype(np.int32, copy=False),
            ts[order],
            day[order].astype(np.int32, copy=False),
            had[order].astype(np.bool_, copy=False),
            user_ids,
            vocabulary,
        )

    def before(self, day: dt.date) -> Self:
        """The rows of earlier days than `day`."""
        return self.where(self.day < days_since_epoch(day))

    def of_scenario(self, scenario: str) -> Self:
        """The rows of one scenario."""
        return self.where(self.scenario == self.vocabulary.id("scenario", scenario))

    def of_scenarios(self, scenarios: Sequence[str]) -> Self:
        """The rows of some scenarios."""
        return self.where(np.isin(self.scenario, [self.vocabulary.id("scenario", name) for name in scenarios]))

    def codes(self, user_ids: Any) -> NDArray[np.int32]:
        """Return the codes of an Arrow array of user ids, -1 where a user has no row."""
        index = pc.index_in(user_ids, value_set=self.user_ids, skip_nulls=True)
        if isinstance(index, pa.ChunkedArray):
            index = index.combine_chunks()
        codes: NDArray[np.int32] = pc.fill_null(index, -1).to_numpy(zero_copy_only=False)
        return codes

    def matrix(self, n_items: int | None = None) -> sparse.csr_matrix:
        """Return ones for the distinct (user, item) pairs that are had, float32 [users, items]."""
        columns = self.vocabulary.size("item_id") if n_items is None else n_items
        shape = (len(self.user_ids), columns)
        pair = np.unique(self.user[self.had].astype(np.int64) * columns + self.item[self.had])
        row, column = np.divmod(pair, columns)
        return sparse.csr_matrix(
            (np.ones(len(pair), np.float32), (row.astype(np.int32), column.astype(np.int32))), shape=shape
        )

    def catalogue(self, scenario: str, day: dt.date) -> NDArray[np.int32]:
        """Return the ids, ascending, of items with an event in the scenario before `day`, of those that have an id."""
        seen = (self.scenario == self.vocabulary.id("scenario", scenario)) & (self.day < days_since_epoch(day))
        items = np.unique(self.item[seen])
        return items[items > 0]

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """The rows of a mask."""
        return replace(
            self,
            user=self.user[mask],
            item=self.item[mask],
            scenario=self.scenario[mask],
            ts=self.ts[mask],
            day=self.day[mask],
            had=self.had[mask],
        )


def days_since_epoch(day: dt.date) -> int:
    """Return a date as the arrays hold it."""
    return (day - _EPOCH).days


def microseconds(values: Any) -> NDArray[np.int64]:
    """Return an Arrow array of timestamps as microseconds since the epoch."""
    ts: NDArray[np.int64] = values.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return ts


def _encoded(batch: pa.RecordBatch, vocabulary: Vocabulary) -> tuple[NDArray[Any], ...]:
    return (
        vocabulary.encode("item_id", batch["item_id"]),
        vocabulary.encode("scenario", batch["scenario"]),
        microseconds(batch["ts"]),
        batch["ds"].cast(pa.int32()).to_numpy(zero_copy_only=False),
        batch["had"].to_numpy(zero_copy_only=False),
    )


def _user_codes(chunks: list[pa.DictionaryArray]) -> tuple[NDArray[np.int32], pa.StringArray]:
    """Return the codes of all rows and the distinct ids; the codes are in the order of the ids, not of the rows."""
    if not chunks:
        return np.empty(0, np.int32), pa.array([], pa.string())
    whole = pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    order = pc.sort_indices(whole.dictionary).to_numpy()
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[whole.indices.to_numpy()], whole.dictionary.take(pa.array(order)).cast(pa.string())
