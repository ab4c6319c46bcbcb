"""Which vectors items have: of their texts, and of the other modalities."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.modalities import TEXT
from landbridge.feed.vectors import revision_of
from landbridge.lake.lake import Lake
from landbridge.report.facts import scan


def having(lake: Lake, items: Collection[str]) -> dict[str, str]:
    """Return the names of the modalities of which each item has a vector, as ``image, text``.

    Items without any are not in it, and none is where no modality is configured.
    """
    config = lake.config
    if not config.modalities:
        return {}
    names = {(name, settings.identity): name for name, settings in config.modalities.items()}
    if config.encode is not None:
        names[config.encode.model, revision_of(lake) or ""] = TEXT
    found: dict[str, set[str]] = {}
    where = pc.field("item_id").isin(pa.array(sorted(items), pa.string()))
    for batch in scan(lake, "item_vectors", ["item_id", "encoder", "revision"], where):
        for row in batch.to_pylist():
            name = names.get((row["encoder"], row["revision"]))
            if name is not None:
                found.setdefault(row["item_id"], set()).add(name)
    return {item: ", ".join(sorted(some)) for item, some in found.items()}
