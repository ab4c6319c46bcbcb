"""Groups of users on the page: what each took, and how those of the source flow into every target."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.lake.lake import Lake
from landbridge.report.people import titles_of

FIT = "C"
"""The fit that publishes; its groups are shown."""
TARGETS = 9
"""Targets that are drawn: those with most users."""
NAMED = 4
"""Items that name a group in the table."""


@dataclass(frozen=True)
class Group:
    """A group of a scenario's users, with the names of what it took most beyond its scenario."""

    scenario: str
    number: int
    users: int
    items: list[str]


@dataclass(frozen=True)
class Flow:
    """Shares of a target's groups by the source's, rows and columns in the order of the groups' numbers."""

    target: str
    source_groups: list[Group]
    target_groups: list[Group]
    shares: list[list[float]]
    users: int
    """Users in some group of both."""


def flows_of(lake: Lake, ds: dt.date) -> list[Flow]:
    """Return the flow from the source into the targets with most users in a group; empty where nobody is grouped."""
    if lake.config.groups is None:
        return []
    groups = _groups(lake, ds)
    cells: dict[str, dict[tuple[int, int], tuple[float, int]]] = defaultdict(dict)
    source = lake.config.transfer.source
    for row in _rows(lake, "group_flow", ds, pc.field("source") == source):
        cells[row["target"]][row["source_group"], row["target_group"]] = row["share"], row["users"]
    sizes = {target: sum(group.users for group in groups[target]) for target in cells}
    chosen = sorted(cells, key=lambda target: (-sizes[target], target))[:TARGETS]
    return [_flow(target, groups[source], groups[target], cells[target]) for target in chosen]


def _flow(target: str, here: list[Group], there: list[Group], cells: dict[tuple[int, int], tuple[float, int]]) -> Flow:
    shares = [[cells[one.number, other.number][0] for other in there] for one in here]
    return Flow(target, here, there, shares, sum(users for _, users in cells.values()))


def _groups(lake: Lake, ds: dt.date) -> dict[str, list[Group]]:
    rows = _rows(lake, "groups", ds, pc.scalar(True))
    titles = titles_of(lake, ds, {item for row in rows for item in row["items"][:NAMED]})
    found: dict[str, list[Group]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["scenario"], row["group"])):
        names = [titles.get(item) or item for item in row["items"][:NAMED]]
        found[row["scenario"]].append(Group(row["scenario"], row["group"], row["users"], names))
    return found


def _rows(lake: Lake, name: str, ds: dt.date, where: pc.Expression) -> list[dict[str, Any]]:
    """Return rows of groups or of pairs of groups: few, whatever the data."""
    if not lake.exists(name):
        return []
    night = (pc.field("ds") == pa.scalar(ds)) & (pc.field("fit") == FIT)
    return list(lake.read(name, where=night & where).to_pylist())
