"""Items whose texts mean the same: cosines in blocks on the executors, against all vectors in every worker's memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from threadpoolctl import threadpool_limits

from landbridge.config.associations import Associations
from landbridge.contenders.associations import too_many
from landbridge.contenders.kinds import BLOCK, near
from landbridge.contenders.text import whitened
from landbridge.errors import DataError
from landbridge.feed.vectors import Vectors

_ROWS = "item long, other long, weight float"
_SCHEMA = pa.schema([("item", pa.int64()), ("other", pa.int64()), ("weight", pa.float32())])


@dataclass(frozen=True)
class Space:
    """M items in the space of whitened texts: their ids, ascending, where they are at home, and their vectors."""

    items: NDArray[np.int32]
    home_M: NDArray[np.int32]
    white_MD: NDArray[np.float32]


def space_of(vectors: DataFrame, most: int) -> Space:
    """Collect item, home and vector of items that somebody took: of at most `most` items, whatever there are.

    Raises
    ------
    DataError
        There are none, or more.
    """
    rows = vectors.select("item", "home", "vector").limit(most + 1).toArrow()
    refused = too_many(rows.num_rows, most) if rows.num_rows else "associations of the kind text: no text is encoded"
    if refused:
        raise DataError(refused)
    rows = rows.sort_by("item").combine_chunks()
    items, home_M = (rows[name].to_numpy().astype(np.int32) for name in ("item", "home"))
    flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    given = Vectors(items, flat.astype(np.float32, copy=False).reshape(len(items), -1))
    return Space(items, home_M, whitened(given, items))


def by_text(places: DataFrame, space: Space, settings: Associations) -> DataFrame:
    """Return the kind `text`.

    Parameters
    ----------
    places
        A row for each item of the space, whose column id is its place there.
    """
    shared = places.sparkSession.sparkContext.broadcast(space)
    count = settings.neighbours

    def associate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = shared.value
        with threadpool_limits(1):
            for batch in batches:
                for start in range(0, batch.num_rows, BLOCK):
                    yield _block(batch.slice(start, BLOCK)["id"].to_numpy(), known, count)

    return places.select("id").mapInArrow(associate, _ROWS)


def _block(place_R: NDArray[np.int64], space: Space, count: int) -> pa.RecordBatch:
    row, column, weight = near(place_R, space.white_MD, space.home_M, count)
    ids = (pa.array(space.items[places].astype(np.int64)) for places in (row, column))
    return pa.RecordBatch.from_arrays([*ids, pa.array(weight)], schema=_SCHEMA)
