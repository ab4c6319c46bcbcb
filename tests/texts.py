"""What the step encode leaves in a lake, without a model."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake

DAY = dt.date(2011, 1, 1)


def encoded(lake: Lake, vectors: Mapping[str, NDArray[np.float32]], revision: str = "first") -> None:
    """Append the vectors of items as of a revision, which is then the one that ran last."""
    assert lake.config.encode is not None
    rows = [
        {
            "item_id": item,
            "encoder": lake.config.encode.model,
            "revision": revision,
            "text_hash": item,
            "vector": vector.tolist(),
            "ds": DAY,
        }
        for item, vector in vectors.items()
    ]
    lake.append("item_vectors", pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract("item_vectors"))), "tiny")
    told(lake, revision)


def told(lake: Lake, revision: str, tuned: Mapping[str, str] | None = None) -> None:
    """Append the row of the ledger by which a revision is known, and beside it that of a tuned encoder."""
    schema = arrow_schema(lake.contract("ledger"))
    before = len(lake.read("ledger", columns=["ds"])) if lake.exists("ledger") else 0
    notes = {"revision": revision, **({} if tuned is None else {"tuned": dict(tuned)})}
    values = {"ds": DAY, "step": "encode", "generation": before, "notes": json.dumps(notes)}
    empty = {pa.string(): "", pa.int64(): 0, pa.int32(): 0, pa.float64(): 0.0, pa.date32(): DAY, pa.bool_(): False}
    row = {field.name: values.get(field.name, empty.get(field.type)) for field in schema}
    lake.append("ledger", pa.Table.from_pylist([row], schema=schema), "tiny")
