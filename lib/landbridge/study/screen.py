"""The table of a study as a person reads it, whole also where the screen is a pipe."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from landbridge.study.plot import name_of
from landbridge.study.table import Row

_WIDTH = 220


def lines_of(rows: Sequence[Row], title: str) -> list[str]:
    """Return the lines of the table."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    measure = rows[0].measure
    for head in ("scenario", "contender"):
        table.add_column(head, no_wrap=True)
    heads = (
        "rows",
        "users",
        measure,
        "95 %",
        "std",
        f"over {rows[0].control}",
        "95 %",
        "p",
        "validation",
        "s",
        "s to it",
    )
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for place, row in enumerate(rows):
        last = place + 1 == len(rows) or rows[place + 1].scenario != row.scenario
        first = place == 0 or rows[place - 1].scenario != row.scenario
        table.add_row(name_of(row.scenario) if first else "", row.contender, *_cells(row), end_section=last)
    out = io.StringIO()
    Console(file=out, width=_WIDTH, no_color=True).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


def _cells(row: Row) -> list[str]:
    seeds = f" ({row.seeds})" if row.seeds > 1 else ""
    return [
        f"{row.rows:,}",
        f"{row.users:,}",
        _number(row.value),
        _between(row.low, row.high),
        f"{_number(row.std)}{seeds}",
        _number(row.difference, "+"),
        _between(row.difference_low, row.difference_high, "+"),
        _chance(row.p),
        _number(row.validation),
        f"{row.seconds:.1f}",
        "" if math.isnan(row.seconds_to_control) else f"{row.seconds_to_control:.1f}",
    ]


def _number(value: float, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.4f}"


def _between(low: float, high: float, sign: str = "") -> str:
    return "" if math.isnan(low) else f"[{low:{sign}.4f}, {high:{sign}.4f}]"


def _chance(p: float) -> str:
    return "" if math.isnan(p) else "<0.0001" if p < 0.0001 else f"{p:.4f}"
