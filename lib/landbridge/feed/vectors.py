"""The vectors of items' texts that the step `encode` made, of the encoder that ran last: as it came, or tuned."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.config.study import ColdItems
from landbridge.feed.tuned import Tuned
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
    def read(cls, lake: Lake, vocabulary: Vocabulary, encoder: str, revision: str | None) -> Self | None:
        """Read those of a revision, of items that have an id; None where there are none."""
        table = _rows(lake, encoder, revision)
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
        table = _rows(lake, config.encode.model, revision_of(lake))
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


def vectors_of(
    lake: Lake,
    vocabulary: Vocabulary,
    config: Config,
    until: dt.date | None = None,
    cold: ColdItems | None = None,
) -> Vectors | None:
    """Return the items' vectors where a contender reads them and there are some, else None.

    Parameters
    ----------
    until, cold
        What a fit that learns across scenarios may know (see `revision_for`); without a day it gets the vectors of the
        encoder as it came.
    """
    if config.encode is None or not _read_by_contenders(config):
        return None
    return Vectors.read(lake, vocabulary, config.encode.model, revision_for(lake, until, cold))


@dataclass(frozen=True)
class VectorsByKnowledge:
    """The same for fits that may know more or less: each revision is read once."""

    lake: Lake
    vocabulary: Vocabulary
    config: Config
    _kept: dict[str | None, Vectors | None] = field(default_factory=dict, repr=False)

    def of(self, until: dt.date | None, cold: ColdItems | None = None) -> Vectors | None:
        """Return what `vectors_of` returns."""
        if self.config.encode is None or not _read_by_contenders(self.config):
            return None
        revision = revision_for(self.lake, until, cold)
        if revision not in self._kept:
            self._kept[revision] = vectors_of(self.lake, self.vocabulary, self.config, until, cold)
        return self._kept[revision]


def _read_by_contenders(config: Config) -> bool:
    associates = config.associations is not None and config.associations.text is not None
    return config.contenders.text is not None or (associates and config.contenders.associations is not None)


def _rows(lake: Lake, encoder: str, revision: str | None) -> pa.Table | None:
    """Return item_id and vector of a revision, None where there is none."""
    if revision is None or not lake.exists("item_vectors"):
        return None
    wanted = (pc.field("encoder") == encoder) & (pc.field("revision") == revision)
    return lake.read("item_vectors", columns=["item_id", "vector"], where=wanted).combine_chunks()


def _matrix(table: pa.Table, order: NDArray[np.intp]) -> NDArray[np.float32]:
    vectors = table["vector"].combine_chunks().take(pa.array(order))
    flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    wide: NDArray[np.float32] = flat.reshape(len(order), -1)
    return wide


def revision_for(lake: Lake, until: dt.date | None, cold: ColdItems | None = None) -> str | None:
    """Return the tuned encoder's revision for who may know what it has seen, else that of the encoder as it came.

    Parameters
    ----------
    until
        The last day that may be known; None where nothing may be known of other scenarios' users.
    cold
        The items that nothing may be known of.
    """
    tuned = tuned_of(lake)
    if until is not None and tuned is not None and tuned.is_known_by(until, cold):
        return tuned.revision
    return revision_of(lake)


def revision_of(lake: Lake) -> str | None:
    """Return what the newest run of `encode` says it wrote or found, None where there was none."""
    revision: str | None = _told(lake).get("revision")
    return revision


def tuned_of(lake: Lake) -> Tuned | None:
    """Return the tuned encoder of that run, None where it had none."""
    note = _told(lake).get("tuned")
    return None if note is None else Tuned.of(note)


def tuned_note(lake: Lake) -> dict[str, str]:
    """Return what names the tuned encoder in the fingerprint of whoever may read its vectors; nothing without one."""
    tuned = tuned_of(lake)
    return {} if tuned is None else {"tuned": json.dumps(tuned.note, sort_keys=True)}


def _told(lake: Lake) -> dict[str, Any]:
    """Return the notes of the newest run of `encode` that had an encoder."""
    if not lake.exists("ledger"):
        return {}
    rows = lake.read("ledger", columns=["ds", "generation", "notes"], where=pc.field("step") == "encode").to_pylist()
    told = [(row["ds"], row["generation"], json.loads(row["notes"])) for row in rows]
    newest = max((one for one in told if one[2].get("revision")), key=lambda one: one[:2], default=None)
    return {} if newest is None else newest[2]
