"""The logs: reader, columns, cleaning rules."""

from __future__ import annotations

import datetime as dt
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from landbridge.config.node import ColumnType, Name, Node, Share, Sql

REQUIRED_COLUMNS = {
    "ts": "timestamp",
    "user_id": "string",
    "item_id": "string",
    "scenario": "string",
    "event_type": "string",
    "outcome": "double",
}


class Reader(Node):
    """Where the daily files are and how they look."""

    path: str = Field(description="Path or pattern of one day's files; {ds} is the date, as 2011-11-30.")
    format: Literal["csv", "json", "parquet"] = "csv"
    options: dict[str, str] = Field(default_factory=dict, description="Options of Spark's reader.")
    header: list[str] = Field(min_length=1, description="The columns of a file, in order.")
    first_day: dt.date = Field(description="The first day there is a file for.")
    closed: Sql | None = Field(None, description="An expression over ds that is true on days without a file.")

    @field_validator("path")
    @classmethod
    def _has_ds(cls, value: str) -> str:
        if "{ds}" not in value:
            raise ValueError("must contain {ds}, the place of the date")
        return value


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


class Rule(Node):
    """A cleaning rule; it removes rows, fills missing values, or clips outliers."""

    name: Name
    remove: Sql | None = Field(None, description="Rows for which this is true go to quarantine.")
    fill: Fill | None = None
    clip: Clip | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.remove, self.fill, self.clip)) != 1:
            raise ValueError("needs exactly one of remove, fill, clip")
        return self


class Data(Node):
    """The logs and how they are cleaned."""

    reader: Reader
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
        return self

    @property
    def values(self) -> dict[str, DerivedColumn]:
        """The columns beyond the required ones."""
        return {name: column for name, column in self.columns.items() if name not in REQUIRED_COLUMNS}
