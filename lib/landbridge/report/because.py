"""Why an item may interest a user: the item of his history that it goes with most, and where he took that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.schema import Config
from landbridge.lake.lake import Lake
from landbridge.report.facts import scan


def because_of(
    lake: Lake, ds: dt.date, history: list[dict[str, Any]], items: Collection[str], titles: Mapping[str, str]
) -> dict[str, str]:
    """Return the item of the history behind each of `items`, its scenario and the kinds; of what goes with none, none.

    Kinds count what they count in the contender `associations`; it says what goes together, whoever made the list.
    """
    if not lake.exists("associations"):
        return {}
    where_taken = {event["item_id"]: event["scenario"] for event in history}  # where he took it last
    told: dict[str, dict[str, dict[str, float]]] = {}
    for row in _between(lake, ds, where_taken, items):
        kinds = told.setdefault(row["other_id"], {}).setdefault(row["item_id"], {})
        kinds[row["kind"]] = row["weight"] * _weight(lake.config, row["kind"])
    best = {item: max(of.items(), key=lambda found: sum(found[1].values())) for item, of in told.items()}
    return {
        item: f"{titles.get(other) or other}, {where_taken[other]} ({', '.join(sorted(kinds))})"
        for item, (other, kinds) in best.items()
    }


def _between(lake: Lake, ds: dt.date, taken: Collection[str], items: Collection[str]) -> list[dict[str, Any]]:
    """The day's associations from what was taken to the items."""
    ends = {"item_id": taken, "other_id": items}
    where = pc.field("ds") == pa.scalar(ds)
    for name, ids in ends.items():
        where = where & pc.field(name).isin(pa.array(sorted(ids), pa.string()))
    columns = ["item_id", "other_id", "kind", "weight"]
    return [row for batch in scan(lake, "associations", columns, where) for row in batch.to_pylist()]


def _weight(config: Config, kind: str) -> float:
    given = config.contenders.associations
    return 1.0 if given is None else given.weights.get(kind, 1.0)
