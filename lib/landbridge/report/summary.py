"""The closing summary of a night on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landbridge.report.facts import Facts, Value, gather
from landbridge.report.page import choices, label, remarks
from landbridge.report.people import Person, examples_of
from landbridge.report.points import gather_points
from landbridge.report.step import PAGE
from landbridge.step import Night

_ANY_WIDTH = 10_000


def summary(night: Night, seconds: Mapping[str, float], skipped: Mapping[str, str]) -> RenderableType:
    """Return what a night did, for a person.

    Parameters
    ----------
    seconds
        Seconds by step that ran.
    skipped
        Why, by step that was skipped.
    """
    pointwise = night.config.pointwise is not None
    facts = (gather_points if pointwise else gather)(night.lake, night.models, night.ds)
    parts = [
        Text(f"{facts.config.name} {night.ds}", style="bold"),
        _rows(facts),
        _rules(facts),
        _published(facts),
        _Metrics.of(facts),
    ]
    if not pointwise:
        parts += [_person(person) for person in examples_of(night.lake, night.ds)]
    parts += [Text(f"! {remark}", style="yellow") for remark in remarks(facts)]
    parts += [_steps(seconds, skipped), _where(night)]
    return Group(*[Padding(part, (0, 0, 1, 0)) for part in parts if part is not None])


def _rows(facts: Facts) -> Text:
    clean = facts.notes("clean")
    text = Text()
    if clean.get("rows"):
        days = clean.get("days", 0)
        text.append(
            f"{clean['rows']:,} rows of {days} day{'s' if days != 1 else ''}: {clean['events']:,} events, "
            f"{clean['quarantined']:,} in quarantine. "
        )
    text.append(f"{sum(facts.lists.values()):,} {facts.have} in {len(facts.lists)} scenarios.")
    return text


def _rules(facts: Facts) -> RenderableType | None:
    struck = facts.notes("clean").get("rules", {})
    if not struck:
        return None
    kinds = {
        rule.name: "removed" if rule.remove else "filled" if rule.fill else "clipped"
        for rule in facts.config.data.rules
    }
    table = _table("Rule", "", ">Rows")
    for name, count in sorted(struck.items(), key=lambda one: (-one[1], one[0])):
        table.add_row(name, kinds.get(name, "removed"), f"{count:,}")
    return table


def _published(facts: Facts) -> RenderableType | None:
    found = choices(facts)
    if not found:
        return None
    table = _table("Scenario", "Publishes", ">Gain", ">95 %", ">P", ">Judged", ">Served", "Why")
    for one in found:
        style = "bold dark_orange" if one.across else "bold"
        table.add_row(
            one.scenario,
            Text(one.contender, style=style),
            one.gain,
            one.interval,
            one.probability,
            one.judged,
            one.served,
            Text(one.why, style="dim"),
        )
    return table


@dataclass(frozen=True)
class _Metrics:
    """The guard's metric on the test days, a line a scenario: what crossed beside the controls.

    Where the screen is too narrow for all contenders, those that are neither published nor a control nor a network are
    left to the page, the weakest first.
    """

    facts: Facts
    keys: tuple[str, ...]
    """Scenarios that were judged, the pooled one last."""

    @classmethod
    def of(cls, facts: Facts) -> _Metrics | None:
        """Return the table of a night, or nothing where nothing was judged."""
        keys = tuple(key for key in (*facts.routes, facts.pooled[0]) if facts.metrics.get(("test", key)))
        return cls(facts, keys) if keys else None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = self._by_weight()
        shown = self._table(names, 0)
        for left in range(1, len(names)):
            if Measurement.get(console, options.update(max_width=_ANY_WIDTH), shown).maximum <= options.max_width:
                break
            shown = self._table(names[:-left], left)
        yield shown

    def _by_weight(self) -> list[str]:
        """Return the contenders: published ones and their controls, the networks, then the others, best first."""
        facts, pooled = self.facts, self._values(self.keys[-1])
        names = {name for key in self.keys for name in facts.metrics["test", key]}
        first = {route.get(role) for route in facts.routes.values() for role in ("contender", "against")}
        networks = {"target_only", *facts.config.transfer.strategies}

        def weight(name: str) -> tuple[bool, bool, float, str]:
            value = pooled.get(name)
            return name not in first, name not in networks, -value.value if value else 0.0, name

        return sorted(names, key=weight)

    def _values(self, key: str) -> Mapping[str, Value | None]:
        metric = self.facts.guard_metric
        return {name: found.get(metric) for name, found in self.facts.metrics["test", key].items()}

    def _table(self, names: list[str], left: int) -> Table:
        facts = self.facts
        order = sorted(names, key=lambda name: (facts.crosses(name), name))
        table = _table(
            f"{label(facts.guard_metric)}, test",
            *[f">{name.replace('_', chr(10))}" for name in order],
            ">Published, 95 %",
            ">Users",
        )
        for key in self.keys:
            values, published = self._values(key), facts.routes.get(key, {}).get("contender", "")
            table.add_row(
                facts.pooled[1].lower() if key == facts.pooled[0] else key,
                *[_cell(values.get(name), name == published, facts.crosses(name)) for name in order],
                _interval(values.get(published)),
                f"{max((one.users for one in values.values() if one is not None), default=0):,}",
            )
        more = f"; for {left} more contenders the screen is too narrow" if left else ""
        table.caption = f"● published; orange: learned across scenarios{more}; every interval is on the page"
        table.caption_justify = "left"
        return table


def _person(person: Person) -> RenderableType:
    text = Text()
    text.append(f"{person.user_id}", style="bold")
    text.append(f" in {person.scenario}\n", style="dim")
    had = dict.fromkeys(event.title or event.item_id for event in person.history)
    for title, names in (
        ("had  ", list(had)[:4]),
        ("gets ", [item.title or item.item_id for item in person.items[:5]]),
    ):
        text.append(f"  {title}", style="dim")
        text.append(" · ".join(names) or "nothing yet")
        text.append("\n" if title.startswith("had") else "")
    return text


def _steps(seconds: Mapping[str, float], skipped: Mapping[str, str]) -> RenderableType:
    table = _table("Step", ">Seconds", "")
    for name, spent in seconds.items():
        table.add_row(name, f"{spent:.1f}", "")
    for name, why in skipped.items():
        table.add_row(Text(name, style="dim"), "", Text(f"skipped: {why}", style="dim"))
    table.add_row("together", f"{sum(seconds.values()):.1f}", "", style="bold")
    return table


def _where(night: Night) -> Text:
    text = Text()
    text.append("Page   ", style="dim")
    text.append(f"{night.reports / PAGE}\n")
    text.append("MLflow ", style="dim")
    text.append(
        f"mlflow ui --backend-store-uri {night.config.tracking_uri}"
        if not night.config.tracking_uri.startswith("http")
        else night.config.tracking_uri
    )
    return text


def _cell(one: Value | None, published: bool, across: bool) -> Text:
    if one is None:
        return Text("–", style="dim")
    style = "dark_orange" if across else ""
    return Text(
        f"● {one.value:.4f}" if published else f"{one.value:.4f}", style=f"bold {style}".strip() if published else style
    )


def _interval(one: Value | None) -> str:
    return "" if one is None or one.low is None or one.high is None else f"{one.low:.4f} to {one.high:.4f}"


def _table(*columns: str) -> Table:
    """Return a table; a column whose name begins with > is of numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(
            name.removeprefix(">"),
            justify="right" if name.startswith(">") else "left",
            vertical="bottom" if "\n" in name else "top",
            no_wrap=name != "Why",
        )
    return table
