"""The closing summary of a night on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landbridge.report.facts import Facts, Value, gather
from landbridge.report.page import choices, label, remarks
from landbridge.report.people import Person, examples_of
from landbridge.report.points import gather_points
from landbridge.report.step import PAGE
from landbridge.step import Night


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
        _metrics(facts),
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


def _metrics(facts: Facts) -> RenderableType | None:
    """The guard's metric on the test days, a line a scenario: what crossed beside the controls."""
    keys = [scenario for scenario in [*facts.routes, facts.pooled[0]] if ("test", scenario) in facts.metrics]
    names = {name for key in keys for name in facts.metrics["test", key]}
    if not names:
        return None
    order = sorted(names, key=lambda name: (facts.crosses(name), name))
    table = _table(
        f"{label(facts.guard_metric)}, test",
        *[f">{name.replace('_', chr(10))}" for name in order],
        ">Published, 95 %",
        ">Users",
    )
    for scenario in keys:
        values = {name: found.get(facts.guard_metric) for name, found in facts.metrics["test", scenario].items()}
        published = facts.routes.get(scenario, {}).get("contender", "")
        cells = [_cell(values.get(name), name == published, facts.crosses(name)) for name in order]
        users = max((one.users for one in values.values() if one is not None), default=0)
        table.add_row(
            facts.pooled[1].lower() if scenario == facts.pooled[0] else scenario,
            *cells,
            _interval(values.get(published)),
            f"{users:,}",
        )
    table.caption = "● published; orange: learned across scenarios; every interval is on the page"
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
