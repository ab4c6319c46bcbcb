"""The pictures of a study: a panel a scenario with every contender's interval; and sources against targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from landbridge.study.protocol import ALL
from landbridge.study.table import Row

matplotlib.use("Agg")
import matplotlib.pyplot as plt

_COLUMNS = 3
_SURE = 0.01


def plot_table(rows: Sequence[Row], file: Path) -> Path:
    """Draw a panel a scenario: dots with intervals, filled where the difference to the control has p < 0.01.

    What was judged on other rows than the control, such as a target's strategy among all scenarios, stands in no panel
    beside it.
    """
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    most = max(sum(row.scenario == scenario for row in rows) for scenario in scenarios)
    lines, columns = -(-len(scenarios) // _COLUMNS), min(_COLUMNS, len(scenarios))
    size = (5.6 * columns, (0.9 + 0.21 * most) * lines + 0.5)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat[len(scenarios) :]:
        axis.set_axis_off()
    for axis, scenario in zip(axes.flat, scenarios, strict=False):
        _panel(axis, sorted(comparable(rows, scenario), key=lambda row: row.value))
    figure.suptitle(
        f"{rows[0].measure}, 95 % over users; blue alone, orange across; line: the control {rows[0].control}; "
        "filled: differs from it, p < 0.01",
        fontsize=9,
    )
    return _saved(figure, file)


def comparable(rows: Sequence[Row], scenario: str) -> list[Row]:
    """Return the rows of a scenario that were judged on what the control was; all where it was not judged there."""
    inside = [row for row in rows if row.scenario == scenario]
    judged = next((row.rows for row in inside if row.contender == row.control), None)
    return [row for row in inside if judged in (None, row.rows)]


def _panel(axis: Axes, rows: Sequence[Row]) -> None:
    for height, row in enumerate(rows):
        colour = "tab:orange" if row.crosses else "tab:blue"
        if row.contender == row.control:
            axis.axvline(row.value, color="tab:gray", linewidth=0.8, linestyle="--")
        axis.plot([row.low, row.high], [height, height], color=colour, linewidth=1.2)
        face = colour if row.p < _SURE else "white"
        axis.plot(row.value, height, marker="o", markersize=5, color=colour, markerfacecolor=face)
    axis.set_yticks(range(len(rows)), [row.contender for row in rows], fontsize=7)
    axis.tick_params(axis="x", labelsize=7)
    axis.set_title(f"{name_of(rows[0].scenario)}: {rows[0].rows} rows, {rows[0].users} users", fontsize=8)


def plot_map(rows: Sequence[Row], file: Path) -> Path:
    """Draw what every contender (line) has over the control in every scenario (column); a star where p < 0.01."""
    shown = [row for row in rows if row.contender != row.control]
    title = f"gain in {rows[0].measure} over {rows[0].control}; * p < 0.01"
    return _gains(shown, list(dict.fromkeys(row.contender for row in shown)), title, ("scenario", "contender"), file)


def plot_matrix(rows: Sequence[Row], contender: str, file: Path) -> Path:
    """Draw the gain of every source (line) for every target (column); a star where p < 0.01."""
    shown = [row for row in rows if row.scenario != ALL and row.contender != row.control]
    # Sources in the order of targets, so that the empty cells make the diagonal; all of them together come last.
    targets = list(dict.fromkeys(row.scenario for row in shown))
    sources = sorted({row.contender for row in shown}, key=lambda name: (name not in targets, name))
    title = f"{contender}: gain in {rows[0].measure} over the target alone; * p < 0.01"
    return _gains(shown, sources, title, ("target", "source"), file)


def _gains(rows: Sequence[Row], lines: Sequence[str], title: str, names: tuple[str, str], file: Path) -> Path:
    """Draw the differences of rows as a picture of lines by scenarios."""
    columns = list(dict.fromkeys(row.scenario for row in rows))
    gain_LC = np.full((len(lines), len(columns)), np.nan)
    for row in rows:
        gain_LC[lines.index(row.contender), columns.index(row.scenario)] = row.difference
    known = gain_LC[~np.isnan(gain_LC)]
    bound = float(np.abs(known).max(initial=1e-6))
    size = (1.2 * len(columns) + 3.5, 0.6 * len(lines) + 2)
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    image = axis.imshow(gain_LC, cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    for row in rows:
        if not np.isnan(row.difference):
            place = (columns.index(row.scenario), lines.index(row.contender))
            text = f"{row.difference:+.4f}{'*' if row.p < _SURE else ''}"
            colour = "white" if abs(row.difference) > 0.6 * bound else "black"
            axis.text(*place, text, ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(columns)), [name_of(name) for name in columns], rotation=30, ha="right", fontsize=8)
    axis.set_yticks(range(len(lines)), lines, fontsize=8)
    axis.set_xlabel(names[0])
    axis.set_ylabel(names[1])
    axis.set_title(title, fontsize=9)
    figure.colorbar(image)
    return _saved(figure, file)


def name_of(scenario: str) -> str:
    """Return how a scenario is called on a page: all of them together have a name too."""
    return "all" if scenario == ALL else scenario


def _saved(figure: Figure, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib in it the same study gives the same bytes.
    figure.savefig(file, dpi=90, metadata={"Software": None})
    plt.close(figure)
    return file
