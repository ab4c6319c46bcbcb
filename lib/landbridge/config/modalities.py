"""Vectors of items that another pipeline made, of images, of audio: where they lie, and what they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from landbridge.config.node import Node, Sql

TEXT = "text"
"""What the section `encode` makes; a modality has another name."""


class Modality(Node):
    """Vectors that come in: a folder of their own, or an attribute of the items."""

    path: str | None = Field(
        None,
        description="A folder or file of theirs. With {ds} in it the newest up to ds is read, which holds all items or "
        "what is new. Left out, `vector` is an expression over the columns of `items` as of ds.",
    )
    format: Literal["parquet", "delta"] = "parquet"
    item: Sql = Field("item_id", description="The item's id, over the columns of the folder.")
    vector: Sql = Field(
        description="An array of numbers: over the columns of the folder, or of `items`, which are text: "
        "from_json(embedding, 'array<float>')."
    )
    width: int = Field(ge=2, description="Numbers of a vector; those of another length go to quarantine.")
    revision: str = Field(
        "", description="Another word where the pipeline has another model, whose vectors are of another space."
    )

    @model_validator(mode="after")
    def _has_its_own_item(self) -> Self:
        if self.path is None and "item" in self.model_fields_set and self.item != "item_id":
            raise ValueError("item is an expression over the columns of path, which is left out: leave item out too")
        return self

    @property
    def identity(self) -> str:
        """The revision that its vectors carry: a hash of all that is configured."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def check_modalities(given: Iterable[str], read: Mapping[str, Iterable[str]], encodes: bool) -> None:
    """Refuse networks that read what no section gives.

    Parameters
    ----------
    given
        The names under `modalities`.
    read
        What each network reads, by its key.
    encodes
        Whether there is a section `encode`.

    Raises
    ------
    ValueError
        With what is wrong, and the remedy.
    """
    names = list(given)
    if TEXT in names:
        raise ValueError("modalities.text: text is what the section encode makes; give the modality another name")
    for key, wanted in read.items():
        unknown = sorted(set(wanted) - {TEXT, *names})
        if unknown:
            raise ValueError(
                f"{key}.vectors.of names {', '.join(unknown)}, which is not among modalities "
                f"({', '.join(names) or 'there are none'}): add it there, or take it out"
            )
        if TEXT in wanted and not encodes:
            raise ValueError(
                f"{key}.vectors reads encoded texts, so there must be a section encode: add it, "
                "or name in of what else is read"
            )
