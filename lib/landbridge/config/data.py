"""The logs: what is read, the columns made of it, the cleaning rules."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from landbridge.config.node import Ascending, ColumnType, Name, Node, Share, Sql
from landbridge.config.reader import Catalogue, Lookup, Reader

REQUIRED_COLUMNS = {
    "ts": "timestamp",
    "user_id": "string",
    "item_id": "string",
    "scenario": "string",
    "event_type": "string",
    "outcome": "double",
}


class Pseudonyms(Node):
    """Raw columns that are replaced by a keyed hash before anything is written."""

    columns: list[str]
    key: str = Field(min_length=16, description="The key, from the environment: ${NAME}.", repr=False)


class DerivedColumn(Node):
    """A column of `events`: an expression over the file's columns, cast to a type.

    A value that does not cast breaks the rule ``unparsed:<column>``.
    """

    type: ColumnType
    sql: Sql


class Fill(Node):
    """Replaces a missing value (null or, for text, empty)."""

    column: str
    constant: str | float | None = None
    median: bool = Field(False, description="The median of the same day's rows of the same `by`.")
    interpolate: bool = Field(False, description="Linear in time within the same day and the same `by`.")
    by: list[str] = Field(default_factory=lambda: ["item_id"])

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.constant is not None) + self.median + self.interpolate != 1:
            raise ValueError("needs exactly one of constant, median, interpolate")
        return self


class Clip(Node):
    """Pulls a value to bounds: declared, quantiles, or box-plot fences (quartiles -+ k interquartile ranges)."""

    column: str
    low: float | None = None
    high: float | None = None
    quantiles: tuple[Share, Share] | None = None
    fences: float | None = Field(None, gt=0)
    by: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        declared = self.low is not None or self.high is not None
        if declared + (self.quantiles is not None) + (self.fences is not None) != 1:
            raise ValueError("needs exactly one of low/high, quantiles, fences")
        return self


class Unique(Node):
    """Of the day's rows that agree in some columns the first stays."""

    by: list[str] = Field(min_length=1)
    order: list[Ascending] = Field(
        default_factory=list, description="Which is first; in a tie it is by the rows' hash."
    )


class Rule(Node):
    """A cleaning rule; it removes rows, fills missing values, or clips outliers."""

    name: Name
    remove: Sql | None = Field(None, description="Rows for which this is true go to quarantine.")
    unique: Unique | None = Field(None, description="Rows that repeat an earlier one go to quarantine.")
    fill: Fill | None = None
    clip: Clip | None = None

    @property
    def removes(self) -> bool:
        """Whether it sends rows to quarantine."""
        return self.remove is not None or self.unique is not None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.remove, self.unique, self.fill, self.clip)) != 1:
            raise ValueError("needs exactly one of remove, unique, fill, clip")
        return self


class Data(Node):
    """The logs and how they are cleaned."""

    reader: Reader
    lookups: dict[Name, Lookup] = Field(default_factory=dict, description="Files joined to the logs, in this order.")
    catalogue: Catalogue | None = Field(
        None, description="Files that list items, also those that nobody has taken yet."
    )
    time_zone: str = "UTC"
    columns: dict[Name, DerivedColumn]
    items: dict[Name, Sql] = Field(default_factory=dict)
    users: dict[Name, Sql] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list)
    max_quarantined: Share = 0.9
    pseudonyms: Pseudonyms | None = None

    @model_validator(mode="after")
    def _columns(self) -> Self:
        for name, kind in REQUIRED_COLUMNS.items():
            if name not in self.columns:
                raise ValueError(f"columns.{name} is missing; the required columns are {', '.join(REQUIRED_COLUMNS)}")
            if self.columns[name].type != kind:
                raise ValueError(f"columns.{name}.type must be {kind}")
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules have the same name")
        for rule in self.rules:
            changed = rule.fill or rule.clip
            if changed and changed.column not in self.columns:
                raise ValueError(f"rule {rule.name} changes {changed.column}, which is not among columns")
            absent = [name for name in (rule.unique.by if rule.unique else ()) if name not in self.columns]
            if absent:
                raise ValueError(f"rule {rule.name} is by {', '.join(absent)}, which is not among columns")
        return self

    @model_validator(mode="after")
    def _lookups(self) -> Self:
        taken = {name.lower() for name in (*self.reader.header, *self.columns)}
        for name in self.lookups:
            if name in taken:
                raise ValueError(f"lookups.{name} has the name of a column; give it another one")
        return self

    @model_validator(mode="after")
    def _catalogue(self) -> Self:
        if self.catalogue is None:
            return self
        if ("{ds}" in self.catalogue.path) == self.reader.is_snapshot:
            has, without = ("catalogue", "reader") if self.reader.is_snapshot else ("reader", "catalogue")
            raise ValueError(f"{has}.path has {{ds}} and {without}.path has not; both are of days, or neither")
        absent = [name for name in self.items if name not in self.catalogue.items]
        if absent:
            raise ValueError(f"catalogue.items lacks {', '.join(absent)} of items; what the files do not tell is null")
        foreign = [name for name in self.catalogue.items if name not in self.items]
        if foreign:
            raise ValueError(f"catalogue.items has {', '.join(foreign)}, which is not among items")
        return self

    @property
    def values(self) -> dict[str, DerivedColumn]:
        """The columns beyond the required ones."""
        return {name: column for name, column in self.columns.items() if name not in REQUIRED_COLUMNS}
