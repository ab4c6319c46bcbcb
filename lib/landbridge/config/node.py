"""What every node of the configuration tree is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sql = Annotated[str, Field(min_length=1, description="A Spark SQL expression.")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="A lower-case name.")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
ColumnType = Literal["string", "double", "long", "boolean", "date", "timestamp"]


class Node(BaseModel):
    """A node of the tree: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
