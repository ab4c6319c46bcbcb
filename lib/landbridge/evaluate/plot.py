"""The picture of the night: what every contender reached in every scenario on the test days."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes

from landbridge.evaluate.metrics import at
from landbridge.evaluate.table import ALL_WINDOWS, TARGETS, Row

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_COLUMNS = 4


def plot(
    rows: Sequence[Row],
    published: dict[str, str],
    crossing: Collection[str],
    metric: str,
    k: int,
    file: Path,
    left: float | None = 0.0,
) -> Path:
    """Draw a panel a scenario: the metric of each contender on the test days with its interval; filled: published.

    The axis begins at `left`, or where the values do.
    """
    shown = [row for row in rows if (row.split, row.window, row.metric, row.k) == ("test", ALL_WINDOWS, metric, k)]
    scenarios = sorted({row.scenario for row in shown}, key=lambda name: (name != TARGETS, name))
    lines = max(1, -(-len(scenarios) // _COLUMNS))
    figure, axes = plt.subplots(
        lines, _COLUMNS, figsize=(4.2 * _COLUMNS, 3.2 * lines), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(scenarios) :]:
        axis.set_axis_off()
    for axis, scenario in zip(axes.flat, scenarios, strict=False):
        own = sorted((row for row in shown if row.scenario == scenario), key=lambda row: row.value)
        _panel(axis, own, published.get(scenario), crossing, left)
        axis.set_title(f"{scenario}: {max(row.users for row in own)} users", fontsize=9)
    figure.suptitle(
        f"{at(metric, k)} on the test days, 95 % over users; blue learned alone, orange across; filled: published"
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib in it the same night gives the same bytes.
    figure.savefig(file, dpi=90, metadata={"Software": None})
    plt.close(figure)
    return file


def _panel(
    axis: Axes, rows: Sequence[Row], published: str | None, crossing: Collection[str], left: float | None
) -> None:
    for height, row in enumerate(rows):
        colour = "tab:orange" if row.contender in crossing else "tab:blue"
        axis.plot([row.low, row.high], [height, height], color=colour, linewidth=1.2)
        face = colour if row.contender == published else "white"
        axis.plot(row.value, height, marker="o", markersize=6, color=colour, markerfacecolor=face)
    axis.set_yticks(range(len(rows)), [row.contender for row in rows], fontsize=7)
    axis.tick_params(axis="x", labelsize=7)
    axis.set_xlim(left=left)
