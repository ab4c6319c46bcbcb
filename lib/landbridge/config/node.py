"""What every node of the configuration tree is made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _is_ascending(sql: str) -> str:
    # As an expression `price desc` is the price under the name desc, and would be taken for that without a word.
    if sql.lower().split()[-1] in ("asc", "desc"):
        raise ValueError("is an expression whose smallest value is first; for the largest write its negative, -(...)")
    return sql


Sql = Annotated[str, Field(min_length=1, description="A Spark SQL expression.")]
Ascending = Annotated[Sql, AfterValidator(_is_ascending)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="A lower-case name.")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
ColumnType = Literal["string", "double", "long", "boolean", "date", "timestamp"]


def beyond(section: dict[str, Any], silent: dict[str, Any]) -> dict[str, Any]:
    """Return a section but what is as in `silent`: what it was before those keys came, where they say nothing new."""
    return dict(entry for entry in section.items() if entry not in silent.items())


class Node(BaseModel):
    """A node of the tree: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
