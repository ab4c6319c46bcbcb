"""What a nightly would do now, and why; it runs and writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from landbridge.pipeline.night import decide
from landbridge.pipeline.steps import FILES
from landbridge.step import Night, Step


@dataclass(frozen=True)
class Planned:
    """A step, whether it would run, and why."""

    step: str
    run: bool
    why: str


def plan(night: Night, steps: Sequence[Step]) -> list[Planned]:
    """Return what would happen to every step, in order."""
    planned: list[Planned] = []
    for step in steps:
        before = [other.step for other in planned if other.run and _feeds(other.step, step, steps)]
        if before:
            planned.append(Planned(step.name, True, f"{before[0]} runs before it"))
            continue
        decision = decide(step, steps, night)
        planned.append(Planned(step.name, decision.run, decision.why))
    return planned


def table_of(planned: Sequence[Planned], ds: dt.date) -> Table:
    """Return the plan as a table for the screen."""
    table = Table("step", "would", "why", title=f"landbridge nightly --ds {ds}", title_justify="left")
    for line in planned:
        table.add_row(line.step, "run" if line.run else "skip", line.why)
    return table


def _feeds(earlier: str, step: Step, steps: Sequence[Step]) -> bool:
    writes = next(other.writes for other in steps if other.name == earlier)
    return earlier in FILES.get(step.name, ()) or bool(set(writes) & set(step.reads))
