"""A lake of any size without Spark, in seconds: invented purchases of one scenario, with their histories."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from tests.lakes import SOURCE, last_day, tiny_config

from landbridge.config import Config
from landbridge.lake.arrow import arrow_schema, arrow_type
from landbridge.lake.contracts import EVENT
from landbridge.lake.lake import Lake

DAYS, ITEMS = 30, 2000
_PER_USER = 20
"""Examples of a user, on the average."""
_LINES = 5
"""Examples of an invoice, at most: one moment, one history."""
_SECOND = 1_000_000


@dataclass(frozen=True)
class _Invoices:
    """V invoices by user and moment; invoice v has the examples start_V[v] and the count_V[v] - 1 behind it."""

    user_V: NDArray[np.int64]
    ts_V: NDArray[np.int64]
    """Microseconds since the epoch."""
    count_V: NDArray[np.int64]

    @property
    def start_V(self) -> NDArray[np.int64]:
        """The examples before each invoice."""
        return np.cumsum(self.count_V) - self.count_V


def shop(root: Path, examples: int) -> tuple[Lake, Config, dt.date]:
    """Write what a night trains on; return the lake, its configuration and its last day."""
    config, draw = tiny_config(root), np.random.default_rng(3)
    lake, invoices = Lake(config), _invoices(config, examples, draw)
    popular = 1.0 / np.arange(1, ITEMS + 1)
    item_N = draw.choice(ITEMS, int(invoices.count_V.sum()), p=popular / popular.sum())
    table = _examples(config, invoices, item_N, draw)
    _append(lake, "examples", table)
    _append(lake, "histories", _histories(table, invoices, config.features.history))
    _append(lake, "vocabulary", _vocabulary(config.data.reader.first_day))
    _append(lake, "statistics", _statistics(config, table))
    return lake, config, last_day(config, DAYS)


def _invoices(config: Config, examples: int, draw: np.random.Generator) -> _Invoices:
    count_V = draw.integers(1, _LINES + 1, 2 * examples // (_LINES + 1) + 1)
    user_V = np.sort(draw.integers(0, max(1, examples // _PER_USER), len(count_V)))
    second_V = draw.integers(0, DAYS * 86400, len(count_V))
    second_V = second_V[np.lexsort((second_V, user_V))]
    begin = int((config.data.reader.first_day - dt.date(1970, 1, 1)).days) * 86400
    return _Invoices(user_V, (second_V + begin) * _SECOND, count_V)


def _examples(
    config: Config, invoices: _Invoices, item_N: NDArray[np.int64], draw: np.random.Generator
) -> Mapping[str, Any]:
    invoice_N = np.repeat(np.arange(len(invoices.count_V)), invoices.count_V)
    ts_N, user_N = invoices.ts_V[invoice_N], invoices.user_V[invoice_N]
    ones, same = np.ones(len(item_N)), pa.DictionaryArray.from_arrays(np.zeros(len(item_N), np.int32), [SOURCE])
    kind = pa.DictionaryArray.from_arrays(np.zeros(len(item_N), np.int32), ["purchase"])
    return {
        "example_id": _names("e", np.arange(len(item_N))),
        "ds": pa.array((ts_N // (86400 * _SECOND)).astype(np.int32)).cast(pa.date32()),
        "ts": pa.array(ts_N).cast(pa.timestamp("us", "UTC")),
        "user_id": _names("u", user_N),
        "item_id": _names("i", item_N),
        "scenario": same.cast(pa.string()),
        "event_type": kind.cast(pa.string()),
        "outcome": pa.array(ones),
        "had": pa.array(ones > 0),
        **{f"running_{name}": pa.array(ones) for name in config.features.running},
        **{name: pa.array(draw.standard_normal(len(item_N))) for name in config.features.user},
    }


def _histories(columns: Mapping[str, Any], invoices: _Invoices, length: int) -> Mapping[str, Any]:
    """Return a row for every user and moment; of two invoices at one second the first stands for both."""
    _, first = np.unique(np.stack([invoices.user_V, invoices.ts_V]), axis=1, return_index=True)
    told = {name: column.take(pa.array(invoices.start_V[first])) for name, column in columns.items()}
    return {**told, "history": _before(columns, invoices, length).take(pa.array(first))}


def _before(columns: Mapping[str, Any], invoices: _Invoices, length: int) -> pa.ListArray:
    """Return, for every invoice, the last events of its user before it."""
    first_V = np.searchsorted(invoices.user_V, invoices.user_V)
    from_V = np.maximum(invoices.start_V[first_V], invoices.start_V - length)
    size_V = invoices.start_V - from_V
    offset = np.concatenate([[0], np.cumsum(size_V)])
    source = np.arange(offset[-1]) + np.repeat(from_V - offset[:-1], size_V)
    fields = list(arrow_type(EVENT))
    events = pa.StructArray.from_arrays([columns[field.name].cast(field.type) for field in fields], fields=fields)
    return pa.ListArray.from_arrays(pa.array(offset.astype(np.int32)), events.take(pa.array(source)))


def _vocabulary(since: dt.date) -> Mapping[str, Any]:
    values = {"item_id": _names("i", np.arange(ITEMS)).to_pylist(), "scenario": [SOURCE], "event_type": ["purchase"]}
    rows = [(field, value, place + 1) for field, some in values.items() for place, value in enumerate(some)]
    field, value, number = zip(*rows, strict=True)
    return {"field": field, "value": value, "id": number, "since": [since] * len(rows)}


def _statistics(config: Config, columns: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts and sums by day: of events by item, of item features, and of user features."""
    frame = pd.DataFrame({"ds": columns["ds"].to_pandas(), "item": columns["item_id"].to_pandas(), "one": 1.0})
    features = {
        "item": ("item", frame["one"]),
        **{f"item.{name}": ("item", frame["one"]) for name in config.features.item},
    }
    users = {f"user.{name}": ("", pd.Series(columns[name].to_numpy())) for name in config.features.user}
    parts = []
    for feature, (by, number) in {**features, **users}.items():
        given = pd.DataFrame({"ds": frame["ds"], "value": frame[by] if by else "", "number": number})
        given["square"] = given["number"] ** 2
        found = given.groupby(["ds", "value"]).agg(
            count=("number", "size"), sum=("number", "sum"), sum_squares=("square", "sum")
        )
        parts.append(found.reset_index().assign(feature=feature, scenario=SOURCE))
    rows = pd.concat(parts)
    return {name: rows[name].to_numpy() for name in rows.columns}


def _names(letter: str, number: NDArray[Any]) -> pa.StringArray:
    return pa.array(np.char.add(letter, number.astype(str)))


def _append(lake: Lake, name: str, columns: Mapping[str, Any]) -> None:
    schema = arrow_schema(lake.contract(name))
    lake.append(name, pa.table({field.name: columns[field.name] for field in schema}, schema=schema), "bench")
