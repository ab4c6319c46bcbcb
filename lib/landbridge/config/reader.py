"""Where files are and how they look: the logs themselves, and the files that are joined to them."""

from __future__ import annotations

import datetime as dt
from typing import Literal, Self

from pydantic import Field, model_validator

from landbridge.config.node import Ascending, Name, Node, Sql


class Source(Node):
    """Files of one shape."""

    path: str = Field(description="Path or pattern of the files.")
    format: Literal["csv", "json", "parquet"] = "csv"
    options: dict[str, str] = Field(default_factory=dict, description="Options of Spark's reader.")
    header: list[str] = Field(min_length=1, description="The columns of a file, in order.")


class Explode(Node):
    """A column that holds a list as text: one row an element instead of one a line.

    The column then holds the element; ``_pos`` is its position from 0, ``_size`` the length of its list.
    """

    column: str
    separator: str = Field(",", min_length=1)


class Reader(Source):
    """Where the logs are and how they look.

    With ``{ds}`` in the path there is a file (or some) for every day. Without it the files are a snapshot:
    everything in them belongs to `first_day`, which is the only ds.
    ``_file``, the name of a row's file without its folder, is a column beside those of the header.
    """

    path: str = Field(description="Path or pattern of one day's files; {ds} is the date, as 2011-11-30.")
    first_day: dt.date = Field(description="The first day there is a file for; the day of a snapshot.")
    closed: Sql | None = Field(None, description="An expression over ds that is true on days without a file.")
    explode: Explode | None = None
    numbered: bool = Field(
        False,
        description="Adds _row, the number of a row in its file from 0, exact copies of earlier rows not counted. "
        "One task numbers a whole file.",
    )

    @property
    def is_snapshot(self) -> bool:
        """Whether all files belong to one day."""
        return "{ds}" not in self.path

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.is_snapshot and self.closed is not None:
            raise ValueError("closed is for daily files, and there is no {ds} in path")
        if self.explode is not None and self.explode.column not in self.header:
            raise ValueError(f"explode.column {self.explode.column} is not in header")
        return self


class Lookup(Source):
    """Files whose columns are joined to every row of the logs; a row without a counterpart has nulls.

    In expressions its columns are ``<name of the lookup>.<column>``. They are text, as those of the logs.
    """

    keys: dict[str, Sql] = Field(
        min_length=1, description="Column of these files to an expression over the columns of the logs."
    )
    order: list[Ascending] = Field(
        default_factory=list,
        description="Of several rows with one key the first in this order is taken; then in that of the columns.",
    )

    @model_validator(mode="after")
    def _keys(self) -> Self:
        absent = [name for name in self.keys if name not in self.header]
        if absent:
            raise ValueError(f"keys: {', '.join(absent)} is not in header")
        return self


class Catalogue(Source):
    """Files that list items, whether or not anybody has taken them.

    An item that a day's files name has the attributes that they tell, whatever the day's events say; any other has
    those of the events. The files of a day are read with its logs. Their columns are text, as those of the logs.
    """

    path: str = Field(
        description="Path or pattern of one day's files; {ds} is the date, where that of the logs has it."
    )
    item_id: Sql
    items: dict[Name, Sql] = Field(description="Every attribute of data.items, over the columns of these files.")
