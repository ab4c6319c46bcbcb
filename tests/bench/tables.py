"""What was measured, as a table for the screen and as lines of a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from rich import box
from rich.table import Table
from tests.bench.rounds import Measured

_MEASURED = ("started", "work", "contender", "role", "unit", "rate", "low", "high", "of_floor", "of_best_peer")
_FIELDS = (*_MEASURED, "scale", "clock", "threads", "cores", "load")


def table_of(measured: Sequence[Measured], rounds: int, cpu: bool) -> Table:
    """Return the table: a line a contender, sections by work."""
    table = Table(box=box.SIMPLE_HEAD, caption=_caption(rounds, cpu), caption_justify="left")
    for name in ("work", "contender", "role"):
        table.add_column(name, overflow="fold")
    for name in ("rate", "low - high", "of floor", "of best peer"):
        table.add_column(name, justify="right", no_wrap=True)
    for place, one in enumerate(measured):
        last = place + 1 == len(measured) or measured[place + 1].work != one.work
        table.add_row(*_cells(one), style="bold" if one.contender.role == "ours" else None, end_section=last)
    return table


def write_csv(folder: Path, started: dt.datetime, measured: Sequence[Measured], scale: float, cpu: bool) -> Path:
    """Append the lines to ``<date>.csv``, and return it; a run is known by when it started."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{started.date()}.csv"
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _FIELDS)
        if fresh:
            writer.writeheader()
        writer.writerows({**_line(started, one), "scale": scale, "clock": _clock(cpu)} for one in measured)
    return path


def _cells(one: Measured) -> list[str]:
    start = [one.work, one.contender.name, one.contender.role]
    if one.rate is None:
        return [*start, "not installed", "", "", ""]
    spread = f"{min(one.rates):,.0f} - {max(one.rates):,.0f}"
    return [*start, f"{one.rate:,.0f} {one.unit}/s", spread, _share(one.of_floor), _share(one.of_peer)]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _line(started: dt.datetime, one: Measured) -> dict[str, object]:
    known = {"rate": one.rate, "low": min(one.rates, default=None), "high": max(one.rates, default=None)}
    shares = {"of_floor": one.of_floor, "of_best_peer": one.of_peer}
    return {
        "started": started.isoformat(timespec="seconds"),
        "work": one.work,
        "contender": one.contender.name,
        "role": one.contender.role,
        "unit": one.unit,
        **{name: None if value is None else round(value, 3) for name, value in {**known, **shares}.items()},
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def _clock(cpu: bool) -> str:
    return "processor" if cpu else "wall"


def _caption(rounds: int, cpu: bool) -> str:
    where = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"Medians of {rounds} rounds in turns, after one to warm up; {_clock(cpu)} seconds, {where}."
