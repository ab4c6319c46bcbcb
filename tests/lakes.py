"""A small lake without Spark: the tables that featurize writes, and `items`, of invented users."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from landbridge.config import Config, load
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake

CONF = Path(__file__).parents[1] / "conf" / "online_retail.yaml"
SOURCE, SMALL, TINY = "United Kingdom", "Germany", "France"
SCENARIOS = (SOURCE, SMALL, TINY)
UTC = dt.UTC


def tiny_config(root: Path, *overrides: str) -> Config:
    """The retail configuration under `root`, with small splits and networks."""
    return load(
        CONF,
        "local",
        [
            f"root={root}",
            "features.history=8",
            "features.item_windows=[5, 20]",
            "split.validation_days=6",
            "split.test_days=4",
            "guard.windows=2",
            "guard.min_users=2",
            "evaluate.resamples=50",
            "recommend.pool=30",
            "recommend.k=10",
            "ranker.recent=4",
            "retriever.dim=8",
            "retriever.negatives=32",
            "retriever.batch=64",
            "retriever.epochs=2",
            "ranker.dim=8",
            "ranker.hidden=[16]",
            "ranker.batch=64",
            "ranker.epochs=1",
            "train.launcher=process",
            "train.processes=1",
            *overrides,
        ],
    )


def tiny_lake(
    root: Path,
    config: Config | None = None,
    users: int = 60,
    days: int = 30,
    items: int = 60,
    seed: int = 0,
    failures: float = 0.0,
) -> Lake:
    """Write the tables of nights from the configuration's first day on, and return the lake.

    The source has two thirds of the users; every sixth user is in two scenarios. Users and items fall into four groups,
    and users mostly choose from their own, so that there is something to learn. An invoice is one moment with several
    events. `failures` is the share of events with outcome 0, which nobody then has. user_state is that of the last day,
    `last_day(config, days)`.
    """
    config = config or tiny_config(root)
    events = _events(config, users, days, items, np.random.default_rng(seed), failures)
    return lake_of(config, events, last_day(config, days))


def lake_of(config: Config, events: list[dict[str, Any]], ds: dt.date) -> Lake:
    """Write the tables of these events: rows as `examples` has them, with a price."""
    examples, states = _examples(config, events, ds)
    lake = Lake(config)
    _write(lake, "examples", examples)
    _write(lake, "histories", list({(row["user_id"], row["ts"], row["scenario"]): row for row in examples}.values()))
    _write(lake, "user_state", states)
    _write(lake, "vocabulary", _vocabulary(events))
    _write(lake, "statistics", _statistics(config, events, examples))
    _write(
        lake,
        "items",
        [
            {"item_id": item, "valid_from": day, "title": f"Thing {item}"}
            for item, day in _first(events, "item_id").items()
        ],
    )
    return lake


def examples_of(lake: Lake, until: dt.date | None = None) -> pa.Table:
    """The table `examples`, each row with what `histories` says of it, joined in plain Python."""
    known = {
        (row["user_id"], row["ts"], row["scenario"]): row for row in lake.read("histories", until=until).to_pylist()
    }
    rows = lake.read("examples", until=until).to_pylist()
    whole = [{**known[row["user_id"], row["ts"], row["scenario"]], **row} for row in rows]
    schemas = (arrow_schema(lake.contract(name)) for name in ("examples", "histories"))
    fields = {field.name: field for schema in schemas for field in schema}
    return pa.Table.from_pylist(whole, schema=pa.schema(list(fields.values())))


def last_day(config: Config, days: int) -> dt.date:
    """The ds of a tiny lake of so many days."""
    return config.data.reader.first_day + dt.timedelta(days=days - 1)


def _events(
    config: Config, users: int, days: int, items: int, rng: np.random.Generator, failures: float
) -> list[dict[str, Any]]:
    rows = []
    start = dt.datetime.combine(config.data.reader.first_day, dt.time(), UTC)
    weight = 1.0 / np.arange(1, items + 1)
    for user in range(users):
        home = SCENARIOS[(0, 0, 0, 0, 1, 2)[user % 6]]
        places = [home, SCENARIOS[(SCENARIOS.index(home) + 1) % 3]] if user % 6 == 3 else [home]
        for _ in range(int(rng.integers(1, 7))):
            moment = start + dt.timedelta(days=int(rng.integers(days)), seconds=int(rng.integers(8 * 3600, 18 * 3600)))
            scenario = places[int(rng.integers(len(places)))]
            liked = np.where(np.arange(items) % 4 == user % 4, weight * 8, weight)
            chosen = rng.choice(items, size=int(rng.integers(1, 6)), replace=False, p=liked / liked.sum())
            rows += [
                {
                    "ts": moment,
                    "ds": moment.date(),
                    "user_id": f"u{user:03d}",
                    "item_id": f"i{item:03d}",
                    "scenario": scenario,
                    "event_type": "purchase",
                    "outcome": float(rng.random() >= failures),
                    "price": 1.0 + int(item),
                }
                for item in chosen
            ]
    rows.sort(key=lambda row: (row["ts"], row["user_id"], row["item_id"]))
    return [{"example_id": f"e{number:06d}", **row} for number, row in enumerate(rows)]


def _examples(
    config: Config, events: list[dict[str, Any]], ds: dt.date
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    by_user = defaultdict(list)
    for event in events:
        by_user[event["user_id"]].append(event)
    end = dt.datetime.combine(ds + dt.timedelta(days=1), dt.time(), UTC)
    examples = [
        {
            **event,
            "had": event["outcome"] > 0,
            "part": part_of(event["item_id"]),
            **_as_of(config, by_user[event["user_id"]], event["ts"]),
        }
        for event in events
    ]
    states = [
        {
            "ds": ds,
            "user_id": user,
            "ts": end,
            "scenarios": sorted({row["scenario"] for row in rows}),
            "had": sorted({row["item_id"] for row in rows if row["outcome"] > 0}),
            **_as_of(config, rows, end),
        }
        for user, rows in by_user.items()
    ]
    return examples, states


def part_of(item_id: str) -> str:
    """The part of an event, where the configuration declares parts: three of five items are learned from."""
    return ("test", "validation", "train", "train", "train")[int(item_id[-1]) % 5]


def _as_of(config: Config, rows: list[dict[str, Any]], ts: dt.datetime) -> dict[str, Any]:
    """The history and the features of a user strictly before a moment."""
    before = sorted((row for row in rows if row["ts"] < ts), key=lambda row: (row["ts"], row["example_id"]))
    history = [{name: row[name] for name in ("item_id", "scenario", "event_type", "outcome", "ts")} for row in before]
    lines, spend = len(before), sum(row["price"] for row in before)
    known = (ts - before[0]["ts"]).total_seconds() / 86400 if before else 0.0
    since = (ts - before[-1]["ts"]).total_seconds() / 86400 if before else 0.0
    values = {
        "log_lines": np.log1p(lines),
        "log_line_value": np.log1p(spend / lines if lines else 0.0),
        "log_days_known": np.log1p(known),
        "log_days_since": np.log1p(since),
    }
    moments = [row["ts"].timestamp() / 86400 for row in before]
    running = {
        "running_lines": float(lines),
        "running_spend": spend,
        "running_first_seen": min(moments, default=None),
        "running_last_seen": max(moments, default=None),
    }
    features = {name: float(values.get(name, 0.0)) for name in config.features.user}
    return {"history": history[-config.features.history :], **running, **features}


def _vocabulary(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for field in ("item_id", "scenario", "event_type"):
        first = sorted(_first(events, field).items(), key=lambda pair: (pair[1], pair[0]))
        rows += [
            {"field": field, "value": value, "id": number, "since": since}
            for number, (value, since) in enumerate(first, 1)
        ]
    return rows


def _first(events: list[dict[str, Any]], field: str) -> dict[str, dt.date]:
    first: dict[str, dt.date] = {}
    for event in events:
        first.setdefault(event[field], event["ds"])
    return first


def _statistics(config: Config, events: list[dict[str, Any]], examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    values = defaultdict(list)
    for event in events:
        where = (event["ds"], event["scenario"])
        if event["outcome"] > 0:
            values[(*where, "item", event["item_id"])].append(event["outcome"])
        for name in config.features.item:
            values[(*where, f"item.{name}", event["item_id"])].append(float(np.log(event["price"])))
    for example in examples:
        for name in config.features.user:
            values[(example["ds"], example["scenario"], f"user.{name}", "")].append(example[name])
    return [
        {
            "ds": ds,
            "scenario": scenario,
            "feature": feature,
            "value": value,
            "count": len(found),
            "sum": float(sum(found)),
            "sum_squares": float(sum(number * number for number in found)),
        }
        for (ds, scenario, feature, value), found in values.items()
    ]


def _write(lake: Lake, name: str, rows: list[dict[str, Any]]) -> None:
    schema = arrow_schema(lake.contract(name))
    lake.append(
        name,
        pa.Table.from_pylist([{field: row[field] for field in schema.names} for row in rows], schema=schema),
        "tiny",
    )
