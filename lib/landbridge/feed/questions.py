"""The examples of a pointwise task as a night sees them: each with its role, and what is scored without its label."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.days import Fit
from landbridge.errors import DataError
from landbridge.feed.rows import Coding, Rows
from landbridge.lake.lake import Lake

LEARNED: dict[Fit, tuple[str, ...]] = {
    "A": ("train",),
    "B": ("train", "validation"),
    "C": ("train", "validation", "test"),
}
"""The roles that a fit learns from."""
SCORED = "score"
_FIXED = ("example_id", "ts", "user_id", "item_id", "scenario", "label", "value")
_ANSWERS = ("label", "value")


@dataclass(frozen=True)
class Questions:
    """Rows of `examples` up to the night, by example_id, with subject_id and role; to be scored: no label, no value."""

    table: pa.Table
    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def read(cls, lake: Lake, ds: dt.date) -> Self:
        """Read `examples` and `subjects` of a night.

        Raises
        ------
        DataError
            An example has no role: the step pretrain has not seen it.
        """
        task = lake.config.pointwise
        assert task is not None
        columns = [*_FIXED, *task.numbers, *task.categories, *(["tags"] if task.tags else [])]
        table = lake.read("examples", until=ds, columns=columns).sort_by("example_id")
        told = lake.read(
            "subjects", columns=["example_id", "subject_id", "role"], where=pc.field("ds") == pa.scalar(ds)
        )
        place = pc.index_in(table["example_id"], value_set=told["example_id"])
        if place.null_count:
            raise DataError(
                f"{place.null_count} examples up to {ds} have no role in the table subjects: run the step pretrain"
            )
        for name in ("subject_id", "role"):
            table = table.append_column(name, told[name].take(place))
        return cls(_hidden(table), tuple(task.numbers), tuple(task.categories))

    @property
    def scenarios(self) -> list[str]:
        """All scenarios there are rows of, ascending."""
        return sorted(pc.unique(self.table["scenario"]).to_pylist())

    def of_roles(self, roles: Sequence[str]) -> pa.Table:
        """The rows of some roles."""
        return self.table.filter(pc.is_in(self.table["role"], pa.array(roles, pa.string())))

    def coding(self, fit: Fit, texts: tuple[str, ...] = ()) -> Coding:
        """Return the ids of a fit: those of the rows that it learns from, and of the items with a vector."""
        return Coding.fit(self.of_roles(LEARNED[fit]), self.numbers, self.categories, self.scenarios, texts)

    def rows(self, roles: Sequence[str], coding: Coding) -> Rows:
        """The rows of some roles as arrays."""
        return Rows.of(self.of_roles(roles), coding)


def _hidden(table: pa.Table) -> pa.Table:
    """Take the answers away from what is scored: nothing that reads the night's questions can learn from them."""
    scored = pc.equal(table["role"], SCORED)
    for name in _ANSWERS:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.if_else(scored, pa.scalar(None, pa.float64()), table[name]))
    return table
