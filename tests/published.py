"""A night that is ready to be published: a small lake in two scenarios with fitted contenders, made without Spark."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from landbridge.config import Config, load
from landbridge.contenders.base import ALL, View
from landbridge.contenders.bundle import Route, build, end_of
from landbridge.contenders.folder import save_fitted, scope_folder
from landbridge.contenders.simple import all_simple
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import Interactions
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.step import Night

DS = dt.date(2011, 3, 1)
FIRST = dt.date(2011, 1, 10)
SCENARIOS = ("Germany", "United Kingdom")
ITEMS = [f"{20000 + number}" for number in range(40)]
USERS = [f"u{number:03d}" for number in range(60)]
ROUTES = {
    "Germany": Route("ease_across", "C", "popularity_recent"),
    "United Kingdom": Route("item_item", "C", "popularity"),
}


def config_of(root: Path, **changes: object) -> Config:
    """Return the retail configuration, small, under a root."""
    config = load(
        "conf/online_retail.yaml",
        "local",
        [
            f"root={root}",
            "recommend.k=5",
            "recommend.pool=10",
            "features.history=8",
            "ranker.recent=4",
            "spark.driver_memory=1g",
            *(f"{key}={value}" for key, value in changes.items()),
        ],
    )
    assert isinstance(config, Config)
    return config


def night_of(root: Path, said: list[str] | None = None, **changes: object) -> Night:
    """Return a night of the small lake, without Spark."""
    config = config_of(root, **changes)

    def no_spark() -> object:
        raise AssertionError("this needs Spark")

    return Night(
        config,
        DS,
        Lake(config),
        no_spark,
        (said if said is not None else []).append,  # type: ignore[arg-type]
        models=config.folder / "models" / str(DS),
        reports=config.folder / "reports" / str(DS),
        fingerprint="f" * 16,
    )


def ready(root: Path, said: list[str] | None = None, **changes: object) -> Night:
    """Write lake and fits and return the night."""
    night = night_of(root, said, **changes)
    write_lake(night.lake)
    write_fits(night)
    return night


def bundle_of(night: Night, name: str = "bundle", routes: dict[str, Route] | None = None) -> Path:
    """Build the night's bundle with the catalogue of whatever had an event."""
    seen = night.lake.read("statistics").filter(pa.compute.field("feature") == "item")
    pairs = sorted({(row["scenario"], row["value"]) for row in seen.to_pylist()})
    catalogue = pa.table({"scenario": [pair[0] for pair in pairs], "item_id": [pair[1] for pair in pairs]})
    return build(night.models, routes or ROUTES, night.lake, night.ds, night.models / name, catalogue)


def write_lake(lake: Lake) -> None:
    """Write events of sixty users: taste is a block of items, shared by both scenarios; some users buy in both."""
    rng = np.random.default_rng(5)
    events = []
    for number, user in enumerate(USERS):
        home = SCENARIOS[number % 3 > 0]
        for _ in range(int(rng.integers(3, 14))):
            block = number % 4 if rng.random() < 0.8 else int(rng.integers(4))
            day = FIRST + dt.timedelta(days=int(rng.integers((DS - FIRST).days + 1)))
            scenario = home if number % 5 else SCENARIOS[int(rng.integers(2))]
            events.append(
                {
                    "user_id": user,
                    "item_id": ITEMS[block * 10 + int(min(9, rng.geometric(0.25) - 1))],
                    "scenario": scenario,
                    "ds": day,
                    "ts": dt.datetime.combine(day, dt.time(9 + int(rng.integers(8))), dt.UTC),
                }
            )
    events.sort(key=lambda event: (event["ts"], event["user_id"], event["item_id"]))
    for number, event in enumerate(events):
        event |= {
            "event_id": f"e{number}",
            "example_id": f"e{number}",
            "event_type": "purchase",
            "outcome": 1.0,
            "had": True,
        }
    features = dict.fromkeys(lake.config.features.user)
    write(lake, "events", events)
    write(lake, "examples", events)
    write(lake, "histories", [{**event, **features, "history": []} for event in events])
    write(lake, "items", [{"item_id": item, "valid_from": FIRST, "title": f"Title Of {item}"} for item in ITEMS])
    write(
        lake,
        "vocabulary",
        [
            {"field": field, "value": value, "id": number, "since": FIRST}
            for field, values in (("item_id", ITEMS), ("scenario", SCENARIOS), ("event_type", ["purchase"]))
            for number, value in enumerate(values, 1)
        ],
    )
    write(lake, "statistics", _statistics(events))
    write(lake, "user_state", _states(lake, events))


def write(lake: Lake, name: str, rows: list[dict[str, object]]) -> None:
    """Write rows in the place of a table's content, as its contract says; values that are left out are null."""
    contract = lake.contract(name)
    schema = arrow_schema(contract)
    table = pa.Table.from_pylist([{field: row.get(field) for field in schema.names} for row in rows], schema=schema)
    write_deltalake(lake.path(name), table, mode="overwrite", partition_by=list(contract.partition) or None)


def write_fits(night: Night) -> None:
    """Fit every simple contender on everything up to ds, as fit C."""
    Assembler.fit(night.lake, night.config, night.ds).save(_made(night.models / "assembler"))
    vocabulary = Vocabulary.load(night.lake)
    interactions = Interactions.read(night.lake, vocabulary, night.ds)
    for contender in all_simple(night.config):
        for scope in (ALL,) if contender.pooled else SCENARIOS:
            view = View(night.config, scope, night.ds, interactions)
            folder = night.models / "fits" / "C" / scope_folder(scope) / contender.name
            folder.parent.mkdir(parents=True, exist_ok=True)
            save_fitted(contender.fit(view), folder, {"contender": contender.name, "scope": scope, "fit": "C"})


def tonight(night: Night, run_id: str) -> Night:
    """Return the night with a run."""
    return replace(night, run_id=run_id)


def _statistics(events: list[dict[str, object]]) -> list[dict[str, object]]:
    counts: dict[tuple[object, ...], int] = {}
    for event in events:
        key = (event["ds"], event["scenario"], event["item_id"])
        counts[key] = counts.get(key, 0) + 1
    return [
        {
            "ds": key[0],
            "feature": feature,
            "scenario": key[1],
            "value": key[2],
            "count": count,
            "sum": float(count),
            "sum_squares": float(count),
        }
        for key, count in sorted(counts.items())
        for feature in ("item", "item.log_price")
    ]


def _states(lake: Lake, events: list[dict[str, object]]) -> list[dict[str, object]]:
    moment = dt.datetime.fromtimestamp(end_of(DS, lake.config.data.time_zone) / 1e6, dt.UTC)
    states = []
    for number, user in enumerate(USERS):
        own = [event for event in events if event["user_id"] == user]
        kept = own[-lake.config.features.history :]
        states.append(
            {
                "ds": DS,
                "user_id": user,
                "ts": moment,
                "scenarios": sorted({str(event["scenario"]) for event in own}),
                "had": sorted({str(event["item_id"]) for event in own}),
                "history": [
                    {name: event[name] for name in ("item_id", "scenario", "event_type", "outcome", "ts")}
                    for event in kept
                ],
                **{name: float(number % 7) for name in lake.config.features.user},
            }
        )
    return states


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
