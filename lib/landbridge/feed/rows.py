"""Rows of a pointwise task as arrays: ids by a coding that training rows fitted, features, labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from landbridge.errors import DataError

FIXED = ("user", "item", "scenario")


@dataclass(frozen=True)
class Coding:
    """Ids of texts: 0 is unknown or missing, the others count from 1 in the order of the values.

    Fitted on training rows, so that an id without evidence is unknown to every contender. Scenarios are declared:
    one that training rows lack has an id all the same.
    """

    values: dict[str, tuple[str, ...]]
    """By field: ``user``, ``item``, ``scenario``, ``tag``, and the category columns by their names."""
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    texts: tuple[str, ...] = ()
    """The items that have a vector of their text, as `Texts.names`: those that training rows lack as well."""

    @classmethod
    def fit(
        cls,
        table: pa.Table,
        numbers: tuple[str, ...],
        categories: tuple[str, ...],
        scenarios: Any = (),
        texts: tuple[str, ...] = (),
    ) -> Self:
        """Fit on rows of `examples` (see `Rows.of`)."""
        values = {field: _distinct(table[f"{field}_id"]) for field in ("user", "item")}
        values["scenario"] = tuple(sorted({*scenarios, *_distinct(table["scenario"])}))
        values["tag"] = _distinct(pc.list_flatten(table["tags"])) if "tags" in table.column_names else ()
        values |= {name: _distinct(table[name]) for name in categories}
        return cls(values, numbers, categories, texts)

    def size(self, field: str) -> int:
        """The largest id of the field plus one."""
        return len(self.values[field]) + 1

    def encode(self, field: str, texts: Any) -> NDArray[np.int32]:
        """Return the ids of an Arrow array of texts."""
        return _ids(texts, self.values[field])

    def encode_text(self, items: Any) -> NDArray[np.int32]:
        """Return the ids of the texts of an Arrow array of items; 0 where an item has no vector."""
        return _ids(items, self.texts)

    def scenario(self, name: str) -> int:
        """The id of a scenario by name, 0 if there is none of it."""
        known = self.values["scenario"]
        return known.index(name) + 1 if name in known else 0

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the scenarios; position i has the id i + 1."""
        return self.values["scenario"]

    def save(self, file: Path) -> None:
        """Write JSON."""
        tree = {
            "values": self.values,
            "numbers": self.numbers,
            "categories": self.categories,
            "texts": self.texts,
        }
        file.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        tree = json.loads(file.read_text(encoding="utf-8"))
        values = {field: tuple(known) for field, known in tree["values"].items()}
        texts = tuple(tree.get("texts", ()))  # earlier nights had none
        return cls(values, tuple(tree["numbers"]), tuple(tree["categories"]), texts)


@dataclass(frozen=True)
class Rows:
    """N rows of a pointwise task, with F numbers and C categories."""

    coding: Coding
    key_N: pa.StringArray
    """Ids of the rows (example_id)."""
    cluster_N: pa.StringArray
    """The raw user id: the cluster that intervals resample."""
    user_N: NDArray[np.int32]
    item_N: NDArray[np.int32]
    scenario_N: NDArray[np.int32]
    number_NF: NDArray[np.float32]
    """NaN is missing."""
    category_NC: NDArray[np.int32]
    label_N: NDArray[np.float32]
    """1, 0, or NaN where it is not known."""
    value_N: NDArray[np.float32]
    """The graded answer; NaN where there is none."""
    tag_NT: sparse.csr_matrix
    """Ones at the tags of the row's item, float32 [N, tags]; no columns where none are configured."""
    part_N: NDArray[np.object_]
    """The part of the split the row is in, as `split.part` says."""
    moment_N: NDArray[np.float64]
    """When it was asked, in days since 1970; NaN where that is not told."""
    text_N: NDArray[np.int32]
    """Id of the text of the row's item among `Coding.texts`; 0 where it has no vector."""

    @classmethod
    def of(cls, table: pa.Table, coding: Coding) -> Self:
        """Return the rows of an Arrow table with the columns of `examples` of a pointwise task, in their order.

        Columns: example_id, user_id, item_id, scenario, label, value, part, the numbers and categories by name; ts, a
        timestamp, where it is known; and tags, a list of texts, where configured.
        """
        for name in ("example_id", "user_id", "scenario", "label", *coding.numbers, *coding.categories):
            if name not in table.column_names:
                raise DataError(f"the column {name} is missing; columns: {', '.join(table.column_names)}")
        count = table.num_rows
        numbers = [_numeric(table, name) for name in coding.numbers]
        categories = [coding.encode(name, table[name]) for name in coding.categories]
        part = table["part"].to_numpy(zero_copy_only=False) if "part" in table.column_names else np.full(count, "")
        return cls(
            coding,
            _text(table, "example_id"),
            _text(table, "user_id"),
            coding.encode("user", table["user_id"]),
            coding.encode("item", table["item_id"]),
            coding.encode("scenario", table["scenario"]),
            np.stack(numbers, axis=1) if numbers else np.zeros((count, 0), np.float32),
            np.stack(categories, axis=1) if categories else np.zeros((count, 0), np.int32),
            _numeric(table, "label"),
            _numeric(table, "value"),
            _tags(table, coding),
            np.asarray(part, object),
            _moments(table),
            coding.encode_text(table["item_id"]),
        )

    def __len__(self) -> int:
        return len(self.user_N)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return the named rows (indices, or a mask), in that order."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        where = pa.array(index)
        return replace(
            self,
            key_N=self.key_N.take(where),
            cluster_N=self.cluster_N.take(where),
            user_N=self.user_N[index],
            item_N=self.item_N[index],
            scenario_N=self.scenario_N[index],
            number_NF=self.number_NF[index],
            category_NC=self.category_NC[index],
            label_N=self.label_N[index],
            value_N=self.value_N[index],
            tag_NT=self.tag_NT[index],
            part_N=self.part_N[index],
            moment_N=self.moment_N[index],
            text_N=self.text_N[index],
        )

    def of_scenario(self, name: str) -> Self:
        """The rows of one scenario."""
        return self.take(self.scenario_N == self.coding.scenario(name))

    @cached_property
    def scenarios(self) -> list[str]:
        """Names of the scenarios that have rows, ascending."""
        return [self.coding.scenarios[code - 1] for code in np.unique(self.scenario_N) if code > 0]


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(sorted(value for value in pc.unique(values.cast(pa.string())).to_pylist() if value is not None))


def _ids(texts: Any, known: tuple[str, ...]) -> NDArray[np.int32]:
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    index = pc.index_in(texts.cast(pa.string()), value_set=pa.array(known, pa.string()), skip_nulls=True)
    ids: NDArray[np.int32] = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.int32) + np.int32(1)
    return ids


def _text(table: pa.Table, name: str) -> pa.StringArray:
    column = table[name].cast(pa.string()).combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _numeric(table: pa.Table, name: str) -> NDArray[np.float32]:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan, np.float32)
    values: NDArray[np.float32] = (
        pc.fill_null(table[name].cast(pa.float64()), float("nan")).to_numpy().astype(np.float32)
    )
    return values


def _moments(table: pa.Table) -> NDArray[np.float64]:
    if "ts" not in table.column_names:
        return np.full(table.num_rows, np.nan)
    seconds = pc.divide(table["ts"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64()), 86_400e6)
    moments: NDArray[np.float64] = pc.fill_null(seconds, float("nan")).to_numpy()
    return moments


def _tags(table: pa.Table, coding: Coding) -> sparse.csr_matrix:
    width = coding.size("tag")
    shape = (table.num_rows, width)
    if "tags" not in table.column_names:
        none: NDArray[np.int64] = np.zeros(0, np.int64)
        return sparse.csr_matrix((np.zeros(0, np.float32), (none, none)), shape=shape)
    lists = table["tags"].combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    tag = coding.encode("tag", pc.list_flatten(lists))
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    pair: NDArray[np.int64] = np.unique(row[tag > 0].astype(np.int64) * width + tag[tag > 0])
    return sparse.csr_matrix((np.ones(len(pair), np.float32), (pair // width, pair % width)), shape=shape)
