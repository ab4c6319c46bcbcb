"""The vectors of items' texts that the step `encode` made, of the encoder that ran last."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
        revision = revision_of(lake)
        if revision is None or not lake.exists("item_vectors"):
            return None
        wanted = (pc.field("encoder") == encoder) & (pc.field("revision") == revision)
        table = lake.read("item_vectors", columns=["item_id", "vector"], where=wanted).combine_chunks()
        item = vocabulary.encode("item_id", table["item_id"].combine_chunks())
        order = np.argsort(item, kind="stable")
        order = order[item[order] > 0]
        if len(order) == 0:
            return None
        vectors = table["vector"].combine_chunks().take(pa.array(order))
        flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        return cls(item[order].astype(np.int32), flat.reshape(len(order), -1))


def vectors_of(lake: Lake, vocabulary: Vocabulary, config: Config) -> Vectors | None:
    """Return the items' vectors where a contender reads them and there are some, else None."""
    if config.encode is None or not _read_by_contenders(config):
        return None
    return Vectors.read(lake, vocabulary, config.encode.model)


def _read_by_contenders(config: Config) -> bool:
    associates = config.associations is not None and config.associations.text is not None
    return config.contenders.text is not None or (associates and config.contenders.associations is not None)


def revision_of(lake: Lake) -> str | None:
    """Return what the newest run of `encode` says it wrote or found, None where there was none."""
    if not lake.exists("ledger"):
        return None
    rows = lake.read("ledger", columns=["ds", "generation", "notes"], where=pc.field("step") == "encode").to_pylist()
    told = [(row["ds"], row["generation"], json.loads(row["notes"]).get("revision")) for row in rows]
    return max((one for one in told if one[2]), default=(None, None, None))[2]
