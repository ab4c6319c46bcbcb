"""What changed between two nights: what is published and why, how good it is, who is served, how the lists moved."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landbridge.errors import DataError
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.lake import Lake
from landbridge.report.facts import Value, metrics_of, scan, steps_of
from landbridge.report.people import titles_of

_SHARDS = 64


@dataclass
class Moved:
    """How the lists of a scenario moved."""

    before: int = 0
    after: int = 0
    both: int = 0
    kept: float = 0.0
    """The share of a list's items that were in it before, summed over the users of both nights."""
    same_first: int = 0
    entered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def diff(lake: Lake, ds1: dt.date, ds2: dt.date) -> RenderableType:
    """Return what changed from the night of `ds1` to that of `ds2`.

    Raises
    ------
    DataError
        If one of the nights has published nothing.
    """
    days = set(lake.days("recommendations"))
    for ds in (ds1, ds2):
        if ds not in days:
            last = ", ".join(map(str, sorted(days)[-5:])) or "none"
            raise DataError(f"nothing was published for {ds}; the last days with lists: {last}")
    moved = moves(lake, ds1, ds2)
    named = {item for one in moved.values() for items in (one.entered, one.left) for item, _ in _top(items)}
    titles = titles_of(lake, ds2, named)
    parts: list[RenderableType] = [
        Text(f"{ds1} → {ds2}", style="bold"),
        _routes(lake, ds1, ds2),
        _data(lake, ds1, ds2),
        _lists(moved),
        _items(moved, titles),
    ]
    return Group(*[Padding(part, (0, 0, 1, 0)) for part in parts])


def moves(lake: Lake, ds1: dt.date, ds2: dt.date) -> dict[str, Moved]:
    """Return how the lists of each scenario moved, a shard of the users at a time, so that memory stays flat."""
    found: dict[str, Moved] = defaultdict(Moved)
    rows = sum(int(count) for count in _row_counts(lake))
    shards = max(1, min(_SHARDS, rows // 200_000))
    for shard in range(shards):
        before, after = (dict(_of_shard(lake, ds, shard, shards)) for ds in (ds1, ds2))
        for key in sorted({*before, *after}):
            _count(found[key[0]], before.get(key), after.get(key))
    return dict(sorted(found.items()))


def _count(moved: Moved, before: list[str] | None, after: list[str] | None) -> None:
    moved.before += before is not None
    moved.after += after is not None
    if before is None or after is None:
        return
    moved.both += 1
    moved.kept += len({*before} & {*after}) / max(1, len(after))
    moved.same_first += before[:1] == after[:1]
    for item in {*after} - {*before}:
        moved.entered[item] += 1
    for item in {*before} - {*after}:
        moved.left[item] += 1


def _of_shard(lake: Lake, ds: dt.date, shard: int, shards: int) -> Iterator[tuple[tuple[str, str], list[str]]]:
    where = (pc.field("ds") == pa.scalar(ds)) & (pc.field("user_id") != NEW_USER)
    for batch in scan(lake, "recommendations", ["scenario", "user_id", "items"], where):
        for row in batch.to_pylist():
            if shards == 1 or sum(row["user_id"].encode()) % shards == shard:
                yield (row["scenario"], row["user_id"]), [item["item_id"] for item in row["items"]]


def _row_counts(lake: Lake) -> list[int]:
    return [
        rows or 0
        for rows in pa.table(lake.delta("recommendations").get_add_actions(flatten=True))["num_records"].to_pylist()
    ]


def _routes(lake: Lake, ds1: dt.date, ds2: dt.date) -> Table:
    """What is published, and its metric on the test days of each night."""
    metric = f"{lake.config.guard.metric}@{lake.config.guard.k}"
    routes = [
        dict(rows["evaluate"].notes.get("routes", {})) if "evaluate" in (rows := steps_of(lake, ds)) else {}
        for ds in (ds1, ds2)
    ]
    metrics = [metrics_of(lake, ds) for ds in (ds1, ds2)]
    table = _table("Scenario", "Published before", "Published now", f">{metric} before", ">now", "Why now")
    for scenario in sorted({*routes[0], *routes[1]}):
        names = [one.get(scenario, {}).get("contender", "") for one in routes]
        values = [
            found.get(("test", scenario), {}).get(name, {}).get(metric)
            for found, name in zip(metrics, names, strict=True)
        ]
        why = routes[1].get(scenario, {}).get("why", "") if names[0] != names[1] else ""
        table.add_row(
            scenario,
            names[0],
            Text(names[1], style="bold" if names[0] != names[1] else ""),
            *[_number(one) for one in values],
            why,
        )
    return table


def _data(lake: Lake, ds1: dt.date, ds2: dt.date) -> Table:
    """What each night read, and how long its steps took."""
    steps = [steps_of(lake, ds) for ds in (ds1, ds2)]
    table = _table("", f">{ds1}", f">{ds2}")
    for name, key in (("rows loaded", "rows"), ("events", "events"), ("in quarantine", "quarantined")):
        values = [rows["clean"].notes.get(key) if "clean" in rows else None for rows in steps]
        table.add_row(name, *["–" if value is None else f"{value:,}" for value in values])
    for step in dict.fromkeys([*steps[0], *steps[1]]):
        table.add_row(f"{step}, seconds", *[f"{rows[step].seconds:.1f}" if step in rows else "–" for rows in steps])
    return table


def _lists(moved: dict[str, Moved]) -> Table:
    table = _table("Lists", ">Users before", ">now", ">new", ">gone", ">items kept", ">same first item")
    for scenario, one in moved.items():
        kept = f"{one.kept / one.both:.0%}" if one.both else "–"
        first = f"{one.same_first / one.both:.0%}" if one.both else "–"
        table.add_row(
            scenario,
            f"{one.before:,}",
            f"{one.after:,}",
            f"{one.after - one.both:,}",
            f"{one.before - one.both:,}",
            kept,
            first,
        )
    return table


def _items(moved: dict[str, Moved], titles: dict[str, str]) -> Table:
    table = _table("Items", "Into most lists", "Out of most lists")
    for scenario, one in moved.items():
        cells = [
            "\n".join(f"{titles.get(item) or item} ({count:,})" for item, count in _top(items))
            for items in (one.entered, one.left)
        ]
        if any(cells):
            table.add_row(scenario, *cells)
    return table


def _top(items: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(items.items(), key=lambda one: (-one[1], one[0]))[:3]


def _number(one: Value | None) -> str:
    return "–" if one is None else f"{one.value:.4f}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table
