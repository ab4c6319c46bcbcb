"""What a pointwise study judges and learns from: the labelled rows of `examples`, by the parts they are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.errors import DataError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Examples:
    """The labelled rows of `examples`, in the order of example_id, and the identity of their content."""

    table: pa.Table
    identity: str

    @classmethod
    def of(cls, table: pa.Table, identity: str) -> Examples:
        """Drop what has no label yet and order what is left.

        Raises
        ------
        DataError
            The parts are neither train, validation and test nor at least two folds.
        """
        table = table.filter(pc.is_valid(table["label"]))
        table = table.take(pc.sort_indices(table.select(["example_id"]), sort_keys=[("example_id", "ascending")]))
        found = set(pc.unique(table["part"]).to_pylist())
        if not (found <= set(PARTS) and {"train", "test"} <= found) and not (len(found) > 1 and not found & set(PARTS)):
            raise DataError(
                f"split.part gives {', '.join(sorted(map(str, found)))}: it must give train, validation and test, "
                "or the numbers of at least two folds"
            )
        return cls(table, identity)

    @cached_property
    def folds(self) -> tuple[str, ...]:
        """The folds in their order; none where there are declared parts."""
        found = sorted(pc.unique(self.table["part"]).to_pylist())
        return () if set(found) <= set(PARTS) else tuple(found)

    def without(self, part: str) -> Examples:
        """The rows of all other parts."""
        return Examples(self.table.filter(pc.not_equal(self.table["part"], part)), f"{self.identity} without {part}")

    def of_parts(self, parts: Sequence[str]) -> pa.Table:
        """The rows of some parts."""
        return self.table.filter(pc.is_in(self.table["part"], pa.array(parts, pa.string())))
