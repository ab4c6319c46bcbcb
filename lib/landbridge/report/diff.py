"""What changed between two nights: what is published and why, how good it is, who is served, how the lists moved."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

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
from landbridge.report.plain import plain_table

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
    check_days(lake, "recommendations", ds1, ds2)
    moved = moves(lake, ds1, ds2)
    named = {item for one in moved.values() for items in (one.entered, one.left) for item, _ in _top(items)}
    titles = titles_of(lake, ds2, named)
    return below_routes(lake, ds1, ds2, _lists(moved), _items(moved, titles))


def below_routes(lake: Lake, ds1: dt.date, ds2: dt.date, *tables: Table) -> RenderableType:
    """Return the title, what is published, what the nights read, and below them what moved."""
    title = Text(f"{ds1} → {ds2}", style="bold")
    parts: list[RenderableType] = [title, routes_table(lake, ds1, ds2), data_table(lake, ds1, ds2), *tables]
    return Group(*[Padding(part, (0, 0, 1, 0)) for part in parts])


def check_days(lake: Lake, table: str, *days: dt.date) -> None:
    """Refuse days for which the table holds nothing.

    Raises
    ------
    DataError
        Naming the day, and the last ones that there are.
    """
    known = lake.days(table)
    for ds in days:
        if ds not in known:
            last = ", ".join(map(str, known[-5:])) or "none"
            raise DataError(f"nothing was published for {ds}; the last days in {table}: {last}")


def moves(lake: Lake, ds1: dt.date, ds2: dt.date) -> dict[str, Moved]:
    """Return how the lists of each scenario moved."""
    found: dict[str, Moved] = defaultdict(Moved)
    known = pc.field("user_id") != NEW_USER
    for scenario, before, after in pairs(lake, "recommendations", "items", ds1, ds2, _ids, known):
        _count(found[scenario], before, after)
    return dict(sorted(found.items()))


def _ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["item_id"] for item in items]


def pairs(
    lake: Lake,
    table: str,
    value: str,
    ds1: dt.date,
    ds2: dt.date,
    of: Callable[[Any], Any],
    where: pc.Expression | None = None,
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the scenario of every row of either day, and what `of` makes of a column on each day, None without a row.

    A shard of the users or subjects is read at a time, so that memory stays flat.
    """

    def day(ds: dt.date, shard: int) -> dict[tuple[str, str], Any]:
        wanted = pc.field("ds") == pa.scalar(ds)
        rows = _of_shard(lake, table, value, wanted if where is None else wanted & where, (shard, shards))
        return {key: of(found) for key, found in rows}

    rows = sum(int(count) for count in _row_counts(lake, table))
    shards = max(1, min(_SHARDS, rows // 200_000))
    for shard in range(shards):
        before, after = day(ds1, shard), day(ds2, shard)
        for key in sorted({*before, *after}):
            yield key[0], before.get(key), after.get(key)


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


def _of_shard(
    lake: Lake, table: str, value: str, where: pc.Expression, shard: tuple[int, int]
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield (scenario, user or subject) and the value of the rows of a shard: its number, and how many there are."""
    key = lake.contract(table).key[-1]
    for batch in scan(lake, table, ["scenario", key, value], where):
        for row in batch.to_pylist():
            if shard[1] == 1 or sum(row[key].encode()) % shard[1] == shard[0]:
                yield (row["scenario"], row[key]), row[value]


def _row_counts(lake: Lake, table: str) -> list[int]:
    return [rows or 0 for rows in pa.table(lake.delta(table).get_add_actions(flatten=True))["num_records"].to_pylist()]


def routes_table(lake: Lake, ds1: dt.date, ds2: dt.date) -> Table:
    """Return what is published, and its metric on the test days of each night."""
    guard = lake.config.guard
    metric = f"{guard.metric}@{guard.k}" if lake.config.pointwise is None else lake.config.scores.metric
    chosen = [
        dict(rows["evaluate"].notes.get("routes", {})) if "evaluate" in (rows := steps_of(lake, ds)) else {}
        for ds in (ds1, ds2)
    ]
    metrics = [metrics_of(lake, ds) for ds in (ds1, ds2)]
    table = plain_table("Scenario", "Published before", "Published now", f">{metric} before", ">now", "Why now")
    for scenario in sorted({*chosen[0], *chosen[1]}):
        names = [one.get(scenario, {}).get("contender", "") for one in chosen]
        values = [
            found.get(("test", scenario), {}).get(name, {}).get(metric)
            for found, name in zip(metrics, names, strict=True)
        ]
        why = chosen[1].get(scenario, {}).get("why", "") if names[0] != names[1] else ""
        table.add_row(
            scenario,
            names[0],
            Text(names[1], style="bold" if names[0] != names[1] else ""),
            *[_number(one) for one in values],
            why,
        )
    return table


def data_table(lake: Lake, ds1: dt.date, ds2: dt.date) -> Table:
    """Return what each night read, and how long its steps took."""
    steps = [steps_of(lake, ds) for ds in (ds1, ds2)]
    table = plain_table("", f">{ds1}", f">{ds2}")
    for name, key in (("rows loaded", "rows"), ("events", "events"), ("in quarantine", "quarantined")):
        values = [rows["clean"].notes.get(key) if "clean" in rows else None for rows in steps]
        table.add_row(name, *["–" if value is None else f"{value:,}" for value in values])
    for step in dict.fromkeys([*steps[0], *steps[1]]):
        table.add_row(f"{step}, seconds", *[f"{rows[step].seconds:.1f}" if step in rows else "–" for rows in steps])
    return table


def _lists(moved: dict[str, Moved]) -> Table:
    table = plain_table("Lists", ">Users before", ">now", ">new", ">gone", ">items kept", ">same first item")
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
    table = plain_table("Items", "Into most lists", "Out of most lists")
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
