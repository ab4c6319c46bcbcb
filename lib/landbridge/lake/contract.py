"""What a table promises: columns with types and comments, key, partitioning, constraints, retention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Column:
    """A column: its Spark SQL type, what it means (with its unit), and whether it may be null."""

    type: str
    comment: str
    nullable: bool = True


@dataclass(frozen=True)
class Contract:
    """What a table promises to whoever reads it.

    `days` says for how long old versions of its files are kept: the window in which a run can be reproduced,
    and the longest time until the erasure of a person is complete.
    """

    name: str
    comment: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    partition: tuple[str, ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    days: int = 30
    version: int = 1

    @property
    def properties(self) -> Mapping[str, str]:
        """Table properties; the features that delta-rs cannot read are off."""
        checks = {f"delta.constraints.{name}": rule for name, rule in self.constraints.items()}
        return MappingProxyType(
            {
                "delta.enableDeletionVectors": "false",
                "delta.deletedFileRetentionDuration": f"interval {self.days} days",
                "delta.logRetentionDuration": f"interval {self.days} days",
                "landbridge.contract": str(self.version),
                "landbridge.key": ",".join(self.key),
                **checks,
            }
        )


def required(type: str, comment: str) -> Column:
    """A column that is never null."""
    return Column(type, comment, nullable=False)


DS = required("date", "The day, in the configured time zone.")
SCENARIO = required("string", "The scenario: a feed, a country, a product line.")
