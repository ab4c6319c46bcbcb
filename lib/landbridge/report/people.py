"""Users to look at: their histories and lists, with the names of the items."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.schema import Config
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.lake import Lake
from landbridge.report.facts import scan


@dataclass(frozen=True)
class Event:
    """A past event with the item's name."""

    moment: dt.datetime
    item_id: str
    title: str
    scenario: str
    outcome: float


@dataclass(frozen=True)
class Recommended:
    """An item of a list."""

    item_id: str
    title: str
    score: float
    source: str


@dataclass(frozen=True)
class Person:
    """A user in one scenario: what he did, newest first, and what he is recommended, best first."""

    user_id: str
    scenario: str
    history: list[Event]
    items: list[Recommended]


def examples_of(lake: Lake, ds: dt.date, count: int = 5) -> list[Person]:
    """Return some users of the night: of each scenario the one with the smallest hash, small scenarios first.

    The choice does not depend on anything but the ids, so that a person sees the same users every morning.
    """
    chosen: dict[str, tuple[str, str]] = {}
    sizes: dict[str, int] = {}
    where = (pc.field("ds") == pa.scalar(ds)) & (pc.field("user_id") != NEW_USER)
    for batch in scan(lake, "recommendations", ["scenario", "user_id"], where):
        for scenario, user in zip(batch["scenario"].to_pylist(), batch["user_id"].to_pylist(), strict=True):
            mark = (hashlib.sha256(user.encode()).hexdigest(), user)
            sizes[scenario] = sizes.get(scenario, 0) + 1
            chosen[scenario] = min(chosen.get(scenario, mark), mark)
    source = lake.config.transfer.source
    order = sorted(chosen, key=lambda name: (name == source, -sizes[name], name))
    # The source stands for itself, the largest targets for the rest.
    scenarios = [*order[: count - 1], source] if source in order and len(order) > count else order[:count]
    return people(lake, ds, {scenario: chosen[scenario][1] for scenario in scenarios})


def people(lake: Lake, ds: dt.date, users: dict[str, str]) -> list[Person]:
    """Return the named user of every scenario."""
    ids = sorted(set(users.values()))
    lists = {
        (row["scenario"], row["user_id"]): row["items"]
        for row in _of(lake, "recommendations", ds, ids, ["scenario", "user_id", "items"])
    }
    histories = {row["user_id"]: row["history"] for row in _of(lake, "user_state", ds, ids, ["user_id", "history"])}
    seen = {event["item_id"] for history in histories.values() for event in history}
    titles = titles_of(lake, ds, seen | {item["item_id"] for items in lists.values() for item in items})
    return [
        Person(
            user,
            scenario,
            events_of(histories.get(user, []), titles),
            recommended(lists.get((scenario, user), []), titles),
        )
        for scenario, user in users.items()
    ]


def titles_of(lake: Lake, ds: dt.date, items: Iterable[str]) -> dict[str, str]:
    """Return the names of items as of `ds`: the attribute ``title``, else the first there is."""
    attribute = title_column(lake.config)
    if attribute is None or not lake.exists("items"):
        return {}
    where = pc.field("item_id").isin(pa.array(sorted(items), pa.string())) & (pc.field("valid_from") <= pa.scalar(ds))
    newest: dict[str, tuple[dt.date, str]] = {}
    for batch in scan(lake, "items", ["item_id", "valid_from", attribute], where):
        for row in batch.to_pylist():
            found = (row["valid_from"], " ".join((row[attribute] or "").split()))
            newest[row["item_id"]] = max(newest.get(row["item_id"], found), found)
    return {item: title for item, (_, title) in newest.items()}


def title_column(config: Config) -> str | None:
    """The attribute of an item that a person reads."""
    names = list(config.data.items)
    return "title" if "title" in names else names[0] if names else None


def events_of(history: Iterable[dict[str, Any]], titles: dict[str, str]) -> list[Event]:
    """Return a history as `user_state` has it, newest first."""
    events = [
        Event(event["ts"], event["item_id"], titles.get(event["item_id"], ""), event["scenario"], event["outcome"])
        for event in history
    ]
    return events[::-1]


def recommended(items: Iterable[dict[str, Any]], titles: dict[str, str]) -> list[Recommended]:
    """Return a list as `recommendations` has it."""
    return [
        Recommended(item["item_id"], titles.get(item["item_id"], ""), item["score"], item["source"]) for item in items
    ]


def _of(lake: Lake, name: str, ds: dt.date, users: list[str], columns: list[str]) -> list[dict[str, Any]]:
    where = (pc.field("ds") == pa.scalar(ds)) & pc.field("user_id").isin(pa.array(users, pa.string()))
    return [row for batch in scan(lake, name, columns, where) for row in batch.to_pylist()]
