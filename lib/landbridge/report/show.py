"""One user: what he did, what was considered for him, and what he is recommended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landbridge.contenders.scorer import Scorer
from landbridge.errors import DataError
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.lake import Lake
from landbridge.report.because import because_of
from landbridge.report.having import having
from landbridge.report.people import Event, Recommended, events_of, recommended, titles_of
from landbridge.report.plain import plain_table

_EVENTS = 15
_NEXT = 10


def show(lake: Lake, models: Path, user: str, ds: dt.date) -> RenderableType:
    """Return a user's history, candidates and published lists of the night of `ds`.

    Candidates are what the night's bundle scores highest behind the list.

    Raises
    ------
    DataError
        If the user is not known on that day.
    """
    known = (pc.field("ds") == pc.scalar(ds)) & (pc.field("user_id") == user)
    lists = lake.read("recommendations", where=known).to_pylist() if lake.exists("recommendations") else []
    states = lake.read("user_state", where=known)
    if not lists and not states.num_rows:
        raise DataError(
            f"the user {user!r} is not known on {ds}: no state and no list; the users are in the table user_state "
            f"(`landbridge sql \"select user_id from user_state where ds = '{ds}' limit 10\"`)"
        )
    history: list[dict[str, Any]] = states["history"][0].as_py() if states.num_rows else []
    pools = _pools(models, states, user, [row["scenario"] for row in lists])
    offered = [row["items"] for row in lists] + list(pools.values())
    items = {item["item_id"] for one in offered for item in one}
    titles = titles_of(lake, ds, items | {event["item_id"] for event in history})
    more = {"Because of": because_of(lake, ds, history, items, titles), "Vectors": having(lake, items)}
    parts: list[RenderableType] = [_head(user, ds, history, states)]
    if history:
        parts.append(_history(events_of(history, titles)))
    for row in sorted(lists, key=lambda row: str(row["scenario"])):
        model = f"{row['model_name']} {row['model_version']}".strip()
        parts.append(
            _list(
                row["scenario"],
                model,
                recommended(row["items"], titles),
                recommended(pools.get(row["scenario"], []), titles),
                {column: told for column, told in more.items() if told},
            )
        )
    return Group(*[Padding(part, (0, 0, 1, 0)) for part in parts])


def _pools(models: Path, states: pa.Table, user: str, scenarios: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the candidates of each scenario, some more than the list has; none where the night's bundle is gone."""
    if not (models / "bundle").is_dir():
        return {}
    scorer = Scorer.load(models / "bundle")
    rows = {
        scenario: scorer.unknown(scenario) if user == NEW_USER else states
        for scenario in scenarios
        if scenario in scorer.scenarios
    }
    return {
        scenario: scorer.recommend(row, scenario, scorer.k + _NEXT)["items"][0].as_py()
        for scenario, row in rows.items()
    }


def _head(user: str, ds: dt.date, history: list[dict[str, Any]], states: pa.Table) -> Text:
    text = Text(user, style="bold")
    if user == NEW_USER:
        return text.append(f" on {ds}: whoever is unknown", style="not bold")
    scenarios, had = (states[name][0].as_py() for name in ("scenarios", "had")) if states.num_rows else ([], [])
    return text.append(
        f" on {ds}: {len(had):,} items had, in {', '.join(scenarios)}; the last {len(history)} events are remembered",
        style="not bold",
    )


def _history(events: list[Event]) -> Table:
    table = plain_table(
        "When",
        "Item",
        "Name",
        "Scenario",
        title=f"History, newest first ({min(_EVENTS, len(events))} of {len(events)})",
    )
    for event in events[:_EVENTS]:
        table.add_row(f"{event.moment:%Y-%m-%d %H:%M}", event.item_id, event.title, event.scenario)
    return table


def _list(
    scenario: str,
    model: str,
    items: list[Recommended],
    pool: list[Recommended],
    more: Mapping[str, Mapping[str, str]],
) -> Table:
    """The list, then the candidates that came next; `more` has what else is known of items, by column."""
    table = plain_table(
        "#",
        "Item",
        "Name",
        "Score",
        "Source",
        *more,
        title=f"{scenario}: list ({model}), then the next candidates",
    )
    for place, item in enumerate(items, 1):
        table.add_row(str(place), *_told(item, more), end_section=place == len(items))
    listed = {item.item_id for item in items}
    for item in pool:
        if item.item_id not in listed:
            table.add_row("", *_told(item, more), style="dim")
    return table


def _told(item: Recommended, more: Mapping[str, Mapping[str, str]]) -> list[str]:
    told = [of_item.get(item.item_id, "") for of_item in more.values()]
    return [item.item_id, item.title, f"{item.score:.4f}", item.source, *told]
