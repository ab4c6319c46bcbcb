"""The vectors of items' texts that the step `encode` made, of the encoder that ran last."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake


@dataclass(frozen=True)
class Vectors:
    """What an encoder makes of the texts of M items.

    Attributes
    ----------
    items
        int32[M], ascending ids of the items that have a vector.
    vector_MD
        float32.
    """

    items: NDArray[np.int32]
    vector_MD: NDArray[np.float32]

    @classmethod
    def read(cls, lake: Lake, vocabulary: Vocabulary, encoder: str) -> Self | None:
        """Read those of the revision that ran last, of items that have an id; None where there are none."""
        table = _newest(lake, encoder)
        if table is None:
            return None
        item = vocabulary.encode("item_id", table["item_id"].combine_chunks())
        order = np.argsort(item, kind="stable")
        order = order[item[order] > 0]
        if len(order) == 0:
            return None
        return cls(item[order].astype(np.int32), _matrix(table, order))


@dataclass(frozen=True)
class Texts:
    """The vectors of all items of a pointwise task that have one, beside the items' names.

    Attributes
    ----------
    names
        Item ids as they are in the tables, ascending.
    vectors
        Position t of the names has the id t + 1, as in `Coding.texts`.
    """

    names: tuple[str, ...]
    vectors: Vectors

    @classmethod
    def read(cls, lake: Lake, config: Config) -> Self | None:
        """Read those of the revision that ran last; None where no contender reads them, or there are none."""
        if config.pointwise is None or config.pointwise.contenders.memory.text is None or config.encode is None:
            return None
        table = _newest(lake, config.encode.model)
        if table is None or not table.num_rows:
            return None
        order = pc.sort_indices(table, sort_keys=[("item_id", "ascending")]).to_numpy()
        names = tuple(table["item_id"].take(pa.array(order)).to_pylist())
        return cls(names, Vectors(np.arange(1, len(names) + 1, dtype=np.int32), _matrix(table, order)))

    @cached_property
    def identity(self) -> str:
        """A hash of all that there is."""
        told = hashlib.sha256(json.dumps(self.names).encode())
        told.update(self.vectors.vector_MD.tobytes())
        return told.hexdigest()[:16]


def vectors_of(lake: Lake, vocabulary: Vocabulary, config: Config) -> Vectors | None:
    """Return the items' vectors where a contender reads them and there are some, else None."""
    if config.encode is None or not _read_by_contenders(config):
        return None
    return Vectors.read(lake, vocabulary, config.encode.model)


def _read_by_contenders(config: Config) -> bool:
    associates = config.associations is not None and config.associations.text is not None
    return config.contenders.text is not None or (associates and config.contenders.associations is not None)


def _newest(lake: Lake, encoder: str) -> pa.Table | None:
    """Return item_id and vector of the revision that ran last, None where none did."""
    revision = revision_of(lake)
    if revision is None or not lake.exists("item_vectors"):
        return None
    wanted = (pc.field("encoder") == encoder) & (pc.field("revision") == revision)
    return lake.read("item_vectors", columns=["item_id", "vector"], where=wanted).combine_chunks()


def _matrix(table: pa.Table, order: NDArray[np.intp]) -> NDArray[np.float32]:
    vectors = table["vector"].combine_chunks().take(pa.array(order))
    flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    wide: NDArray[np.float32] = flat.reshape(len(order), -1)
    return wide


def revision_of(lake: Lake) -> str | None:
    """Return what the newest run of `encode` says it wrote or found, None where there was none."""
    if not lake.exists("ledger"):
        return None
    rows = lake.read("ledger", columns=["ds", "generation", "notes"], where=pc.field("step") == "encode").to_pylist()
    told = [(row["ds"], row["generation"], json.loads(row["notes"]).get("revision")) for row in rows]
    return max((one for one in told if one[2]), default=(None, None, None))[2]
