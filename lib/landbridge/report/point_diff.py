"""What changed between two nights of a pointwise task: what is published and why, how good it is, how scores moved."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table

from landbridge.lake.lake import Lake
from landbridge.report.diff import below_routes, check_days, pairs
from landbridge.report.plain import plain_table


@dataclass
class MovedScores:
    """How the scores of a scenario moved; sums are over its subjects, of each night or of both."""

    before: int = 0
    after: int = 0
    both: int = 0
    sum_before: float = 0.0
    sum_after: float = 0.0
    changed: float = 0.0
    """Sum of the absolute differences over the subjects of both nights."""

    def count(self, before: float | None, after: float | None) -> None:
        """Take in a subject with its score on each night, None where it had none."""
        self.before += before is not None
        self.after += after is not None
        self.sum_before += before or 0.0
        self.sum_after += after or 0.0
        if before is not None and after is not None:
            self.both += 1
            self.changed += abs(after - before)


def diff_points(lake: Lake, ds1: dt.date, ds2: dt.date) -> RenderableType:
    """Return what changed from the night of `ds1` to that of `ds2`.

    Raises
    ------
    DataError
        If one of the nights has published nothing.
    """
    check_days(lake, "scores", ds1, ds2)
    return below_routes(lake, ds1, ds2, _scores(moved_scores(lake, ds1, ds2)))


def moved_scores(lake: Lake, ds1: dt.date, ds2: dt.date) -> dict[str, MovedScores]:
    """Return how the scores of each scenario moved."""
    found: dict[str, MovedScores] = defaultdict(MovedScores)
    for scenario, before, after in pairs(lake, "scores", "score", ds1, ds2, float):
        found[scenario].count(before, after)
    return dict(sorted(found.items()))


def _scores(moved: dict[str, MovedScores]) -> Table:
    columns = (
        ">Subjects before",
        ">now",
        ">new",
        ">gone",
        ">mean score before",
        ">now",
        ">mean change of those in both",
    )
    table = plain_table("Scores", *columns)
    for scenario, one in moved.items():
        table.add_row(
            scenario,
            f"{one.before:,}",
            f"{one.after:,}",
            f"{one.after - one.both:,}",
            f"{one.before - one.both:,}",
            _mean(one.sum_before, one.before),
            _mean(one.sum_after, one.after),
            _mean(one.changed, one.both),
        )
    return table


def _mean(total: float, count: int) -> str:
    return f"{total / count:.4f}" if count else "–"
