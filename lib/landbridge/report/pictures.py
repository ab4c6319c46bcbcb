"""The pictures of the page, as data URIs: the page is one file, and the same night draws the same bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from landbridge.report.facts import Facts, Value
from landbridge.report.groups import Flow, Group

ACROSS, ALONE, INK, FAINT = "#d9712b", "#3b6ea5", "#1f2933", "#d5dbe1"
_RULES = ("#3b6ea5", "#d9712b", "#6b9e78", "#b5475d", "#8a6fb0", "#c9a227", "#4aa3a2", "#7d6b5d", "#9aa5b1")
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.labelcolor": INK,
    "xtick.color": "#52606d",
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#e9edf1",
    "axes.axisbelow": True,
}


def quality(facts: Facts, split: str = "test") -> str | None:
    """Draw for every scenario what each contender reached: those that learned alone beside those across."""
    metric = facts.guard_metric
    panels = {}
    for scenario in [*facts.routes, facts.pooled[0]]:
        judged = facts.metrics.get((split, scenario), {})
        panels[scenario] = {name: found[metric] for name, found in judged.items() if metric in found}
    panels = {scenario: values for scenario, values in panels.items() if values}
    if not panels:
        return None
    columns = 3
    rows = -(-len(panels) // columns)
    deepest = max(len(values) for values in panels.values())
    with matplotlib.rc_context(_STYLE):
        figure = _figure(12.6, rows * (0.75 + 0.19 * deepest) + 0.4)
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for axis, (scenario, values) in zip(axes.flat, panels.items(), strict=False):
            _panel(axis, facts, scenario, values)
        _legend(figure)
        return _uri(figure)


def quarantine(facts: Facts) -> str | None:
    """Draw the rows in quarantine by rule, day by day."""
    if not facts.quarantined_by_day:
        return None
    days = sorted({*facts.quarantined_by_day, *facts.events_by_day})
    totals = {
        rule: sum(counts[rule] for counts in facts.quarantined_by_day.values())
        for rule in {rule for counts in facts.quarantined_by_day.values() for rule in counts}
    }
    rules = sorted(totals, key=lambda rule: (-totals[rule], rule))
    with matplotlib.rc_context(_STYLE):
        figure = _figure(12.6, 2.7)
        axis = figure.subplots()
        base = [0] * len(days)
        for number, rule in enumerate(rules):
            heights = [facts.quarantined_by_day[day][rule] if day in facts.quarantined_by_day else 0 for day in days]
            axis.bar(range(len(days)), heights, bottom=base, color=_RULES[number % len(_RULES)], width=0.78, label=rule)
            base = [low + height for low, height in zip(base, heights, strict=True)]
        axis.set_xticks(
            range(len(days)),
            [f"{day:%d %b}" if not number % 2 else "" for number, day in enumerate(days)],
            fontsize=7.5,
        )
        axis.grid(True, axis="y")
        axis.set_ylabel("rules broken")
        axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _uri(figure)


def losses(facts: Facts) -> str | None:
    """Draw the training losses of each network: fits of the source in one panel, those of the targets in another."""
    source = facts.config.transfer.source
    panels = {}
    for network, fits in sorted(facts.losses.items(), reverse=True):
        of_source = {name: values for name, values in fits.items() if f" {source} " in name}
        panels[f"{network}, source"] = of_source
        panels[f"{network}, targets, fit A"] = {
            name: values for name, values in fits.items() if name not in of_source and name.endswith(" A")
        }
    panels = {title: fits for title, fits in panels.items() if any(fits.values())}
    if not panels:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = _figure(12.6, 2.6 * -(-len(panels) // 2))
        axes = figure.subplots(-(-len(panels) // 2), 2, squeeze=False)
        for axis in axes.flat[len(panels) :]:
            axis.set_axis_off()
        for axis, (title, fits) in zip(axes.flat, panels.items(), strict=False):
            _loss_panel(axis, title, fits, facts)
        return _uri(figure)


def histograms(shares: Mapping[str, Sequence[int]], published: Mapping[str, str]) -> str | None:
    """Draw how the probabilities of each scenario are spread, from 0 to 1, in bins of equal width."""
    if not shares:
        return None
    columns = 4
    rows = -(-len(shares) // columns)
    with matplotlib.rc_context(_STYLE):
        figure = _figure(12.6, 1.9 * rows)
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[len(shares) :]:
            axis.set_axis_off()
        for axis, (scenario, counts) in zip(axes.flat, shares.items(), strict=False):
            width = 1.0 / len(counts)
            axis.bar([width * (place + 0.5) for place in range(len(counts))], counts, width=0.9 * width, color=ALONE)
            axis.set_title(f"{scenario} · {sum(counts):,} by {published.get(scenario, '')}")
            axis.set_xlim(0, 1)
            axis.tick_params(labelsize=7.5)
            axis.grid(True, axis="y")
        return _uri(figure)


def flow(facts: Facts) -> str | None:
    """Draw how each group of the source flows into the groups of every target, darker where more of it goes."""
    if not facts.flows:
        return None
    columns = min(3, len(facts.flows))
    rows = -(-len(facts.flows) // columns)
    deepest, alone = len(facts.flows[0].source_groups), columns == 1
    with matplotlib.rc_context(_STYLE):
        figure = _figure(12.6, rows * (0.85 + 0.3 * deepest + 1.0 * alone))
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis in axes.flat[len(facts.flows) :]:
            axis.set_axis_off()
        for number, one in enumerate(facts.flows):
            _flow_panel(axes.flat[number], one, number % columns == 0, alone)
        return _uri(figure)


def _flow_panel(axis: Axes, one: Flow, first: bool, alone: bool) -> None:
    """Draw the shares of one target; groups have names at the left of the first panel of a row, and under one alone."""
    axis.imshow(one.shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for row, shares in enumerate(one.shares):
        for column, share in enumerate(shares):
            colour = "white" if share > 0.55 else INK
            axis.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=7, color=colour)
    axis.set_yticks(range(len(one.source_groups)), _names(one.source_groups, first), fontsize=7.5)
    leaning: dict[str, Any] = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if alone else {}
    axis.set_xticks(range(len(one.target_groups)), _names(one.target_groups, alone), fontsize=7.5, **leaning)
    axis.set_title(f"{one.target} · {one.users:,} user{'s' if one.users != 1 else ''} in both")
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)


def _names(groups: Sequence[Group], named: bool) -> list[str]:
    return [f"{group.number} {_short(group.items[0])}" if named else f"{group.number}" for group in groups]


def _short(title: str, most: int = 30) -> str:
    return title if len(title) <= most else title[: most - 1].rstrip() + "…"


def _panel(axis: Axes, facts: Facts, scenario: str, values: dict[str, Value]) -> None:
    published = facts.routes.get(scenario, {}).get("contender")
    order = sorted(values, key=lambda name: (values[name].value, name))
    for height, name in enumerate(order):
        one, colour = values[name], ACROSS if facts.crosses(name) else ALONE
        if one.low is not None and one.high is not None:
            axis.plot(
                [one.low, one.high], [height, height], color=colour, linewidth=1.6, alpha=0.55, solid_capstyle="round"
            )
        axis.plot(
            one.value,
            height,
            "o",
            color=colour,
            markersize=5.5,
            markerfacecolor=colour if name == published else "white",
            markeredgewidth=1.4,
        )
    axis.set_yticks(range(len(order)), order, fontsize=7.5)
    for label, name in zip(axis.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if name == published else "normal")
    users = max(one.users for one in values.values())
    axis.set_title(
        f"{facts.pooled[1] if scenario == facts.pooled[0] else scenario} · {users:,} user{'s' if users != 1 else ''}"
    )
    axis.grid(True, axis="x")
    if "@" in facts.guard_metric:
        axis.set_xlim(left=0)
    axis.set_ylim(-0.7, len(order) - 0.3)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=7.5)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, marker="o", markerfacecolor=face, label=label, linewidth=1.6)
        for colour, face, label in (
            (ALONE, "white", "learned from the scenario alone"),
            (ACROSS, "white", "learned across scenarios"),
            ("#52606d", "#52606d", "filled and bold: published"),
        )
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False, fontsize=8.5)


def _loss_panel(axis: Axes, title: str, fits: dict[str, list[float]], facts: Facts) -> None:
    """Draw a line a fit; many of them are told apart only by what crossed and what did not."""
    many = len(fits) > 6
    for number, (name, values) in enumerate(sorted(fits.items())):
        contender = name.partition(" ")[0]
        colour = (ACROSS if facts.crosses(contender) else ALONE) if many else _RULES[number % len(_RULES)]
        axis.plot(_smooth(values), linewidth=1.1, color=colour, label=contender if many else name, alpha=0.8)
    axis.set(title=title, xlabel="step")
    axis.grid(True)
    named = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    axis.legend(named.values(), named.keys(), frameon=False, fontsize=7.5)


def _smooth(values: Sequence[float], width: int = 10) -> list[float]:
    return [sum(part) / len(part) for end in range(1, len(values) + 1) for part in [values[max(0, end - width) : end]]]


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(hspace=0.07, wspace=0.03))
    FigureCanvasAgg(figure)
    return figure


def _uri(figure: Figure) -> str:
    with io.BytesIO() as buffer:
        settings: dict[str, Any] = {"format": "svg", "metadata": {"Date": None, "Creator": None}}
        with matplotlib.rc_context({"svg.hashsalt": "landbridge", "svg.fonttype": "path"}):
            figure.savefig(buffer, **settings)
        return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
