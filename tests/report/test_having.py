"""Which vectors items have: those of tonight's configuration, by the names of their modalities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.lakes import tiny_config
from tests.texts import DAY, encoded

from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.report.having import having


def test_an_item_has_the_vectors_of_tonights_revisions(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, "encode={text: title}", "modalities={image: {vector: image, width: 2}}")
    lake = Lake(config)
    assert having(lake, ["a"]) == {}
    vector = np.ones(2, np.float32)
    encoded(lake, {"a": vector, "old": vector}, "first")
    encoded(lake, {"a": vector, "b": vector}, "second")
    one = {"encoder": "image", "text_hash": "", "vector": [1.0, 0.0], "ds": DAY}
    revisions = {"a": config.modalities["image"].identity, "c": config.modalities["image"].identity, "d": "another"}
    rows = [{**one, "item_id": item, "revision": revision} for item, revision in revisions.items()]
    schema = arrow_schema(lake.contract("item_vectors"))
    lake.append("item_vectors", pa.Table.from_pylist(rows, schema=schema), "tiny")
    assert having(lake, ["a", "b", "d", "old", "nobody"]) == {"a": "image, text", "b": "text"}
    plain = Lake(tiny_config(tmp_path, "encode={text: title}"))
    assert having(plain, ["a"]) == {}, "where no other modality is configured, nothing is said"
