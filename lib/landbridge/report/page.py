"""The page of a night: one file with everything in it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from landbridge.report import pictures
from landbridge.report.facts import Facts, Value
from landbridge.report.people import Person

_RANKING = ("ndcg", "recall", "hit_rate", "mrr", "map")
_OF_LISTS = ("coverage", "novelty", "diversity")
"""What lists are like; neither more nor less of it is better."""
_ORDER = (*_RANKING, "auc", "gauc", "pr_auc", "ks", "log_loss", "pcoc", "ece", "accuracy", "f1", *_OF_LISTS)
_LOW = frozenset({"log_loss", "ece"})
"""Metrics of which less is better."""
_NAMES = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "hit_rate": "Hit rate",
    "mrr": "MRR",
    "map": "MAP",
    "auc": "AUC",
    "gauc": "GAUC",
    "log_loss": "Log loss",
    "pr_auc": "PR-AUC",
    "coverage": "Coverage",
    "novelty": "Novelty",
    "diversity": "Diversity",
    "ks": "KS",
    "pcoc": "PCOC",
    "ece": "ECE",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "f1": "F1",
}


@dataclass(frozen=True)
class Choice:
    """A line of the table of what is published; the bar places the gain's interval within the widest of all."""

    scenario: str
    contender: str
    across: bool
    against: str
    gain: str
    interval: str
    probability: str
    judged: str
    served: str
    why: str
    bar: tuple[float, float, float, float] | None


def page(facts: Facts, people: list[Person], template: str = "page.html.j2", **more: Any) -> str:
    """Return the HTML of a night; `more` is what another template than that of lists asks for besides."""
    environment = Environment(
        loader=FunctionLoader(lambda name: files("landbridge.report").joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "number": number, "day": day, "clock": clock}
    return environment.get_template(template).render(
        **more,
        facts=facts,
        config=facts.config,
        people=people,
        choices=choices(facts),
        cards=cards(facts),
        remarks=remarks(facts),
        rules=rules(facts),
        tables=tables(facts),
        plots={
            "quality": pictures.quality(facts),
            "quarantine": pictures.quarantine(facts),
            "losses": pictures.losses(facts),
            "flow": pictures.flow(facts),
        },
        slowest=max((row.seconds for row in facts.steps.values()), default=1.0) or 1.0,
        guard=facts.config.guard,
        lead=label(facts.guard_metric),
    )


def cards(facts: Facts) -> list[tuple[str, str, str]]:
    """Return the figures at the top: what, how much, and a remark."""
    clean, total = facts.notes("clean"), sum(row.seconds for row in facts.steps.values())
    across = sum(choice.across for choice in choices(facts))
    found = []
    if clean.get("rows"):
        days = clean.get("days", 0)
        found.append(("Rows read", count(clean["rows"]), f"{days} day{'s' if days != 1 else ''} in this load"))
        share = clean["quarantined"] / clean["rows"]
        found.append(("In quarantine", count(clean["quarantined"]), f"{share:.1%} of the rows"))
    today = facts.events_by_day.get(facts.ds)
    if today is not None:
        found.append(("Events of the day", count(today), f"on {facts.ds}"))
    found.append((facts.served, count(sum(facts.lists.values())), f"in {len(facts.lists)} scenarios"))
    if facts.routes:
        found.append(("Publish what crossed", f"{across} of {len(facts.routes)}", "scenarios"))
    found.append(("Seconds", f"{total:,.0f}", f"{len(facts.steps)} steps"))
    return found


def choices(facts: Facts) -> list[Choice]:
    """Return what each scenario publishes and why."""
    ends = [
        abs(route[name]) for route in facts.routes.values() for name in ("low", "high") if route.get(name) is not None
    ]
    widest = max(ends, default=0.0)
    return [_choice(facts, scenario, dict(route), widest) for scenario, route in facts.routes.items()]


def remarks(facts: Facts) -> list[str]:
    """Return what a person should know besides: short lists, missing days, contenders that were left out."""
    found = [
        f"No file for {', '.join(map(str, missing))}; those days are not in the tables."
        for missing in [facts.notes("clean").get("missing")]
        if missing
    ]
    steps = ("adapt", "encode", "pretrain", "finetune", "evaluate")
    found += [str(text) for step in steps for text in facts.notes(step).get("left_out", [])]
    found += [str(told["says"]) for told in facts.notes("encode").get("modalities", {}).values()]
    found += [
        f"{scenario}: {short} lists hold fewer than {facts.config.recommend.k} items: the catalogue "
        "has no more that these users lack."
        for scenario, short in facts.notes("recommend").get("short", {}).items()
        if short
    ]
    rolled_back = facts.notes("recommend").get("rollback", {}).get("says")
    if rolled_back:
        found.append(f"Rolled back by hand: {rolled_back}. The choices told here are the night's own.")
    if facts.lists and not facts.model_version:
        found.append("Nothing was registered in MLflow tonight: there was no tracking.")
    found += [
        f"{name} was resumed after its tables were written; its counts are not known."
        for name, row in facts.steps.items()
        if row.notes.get("recovered")
    ]
    return found


def rules(facts: Facts) -> list[dict[str, Any]]:
    """Return for each rule what it does, the rows of this load it struck, and those it quarantined in the last days."""
    kinds = {
        rule.name: "removes" if rule.removes else "fills" if rule.fill else "clips" for rule in facts.config.data.rules
    }
    load, recent = (
        dict(facts.notes("clean").get("rules", {})),
        {rule for counts in facts.quarantined_by_day.values() for rule in counts},
    )
    for told in facts.notes("encode").get("modalities", {}).values():
        load |= told["rules"]
    names = [*kinds, *sorted({*load, *recent} - set(kinds))]
    return [
        {
            "name": name,
            "kind": kinds.get(name, "removes"),
            "load": load.get(name, 0),
            "recent": sum(counts[name] for counts in facts.quarantined_by_day.values()),
            "today": facts.quarantined_by_day.get(facts.ds, {}).get(name, 0),
        }
        for name in names
    ]


def tables(facts: Facts) -> list[dict[str, Any]]:
    """Return the metric tables: one a scenario, contenders as rows, those of the test first."""
    found = []
    for scenario in [*facts.routes, *([facts.pooled[0]] if facts.routes else [])]:
        for split in ("test", "validation"):
            values = facts.metrics.get((split, scenario))
            if values:
                found.append(_table(facts, scenario, split, values))
    return found


def _table(facts: Facts, scenario: str, split: str, values: dict[str, dict[str, Value]]) -> dict[str, Any]:
    metrics = sorted({name for found in values.values() for name in found}, key=_rank)
    best = {name: _best(name, [found[name].value for found in values.values() if name in found]) for name in metrics}
    lead = facts.guard_metric
    sign = 1.0 if lead in _LOW else -1.0
    order = sorted(values, key=lambda name: (sign * (_value(values[name].get(lead)) or 0.0), name))
    return {
        "scenario": facts.pooled[1] if scenario == facts.pooled[0] else scenario,
        "split": split,
        "metrics": [(name, label(name)) for name in metrics],
        "rows": [
            {
                "name": name,
                "across": facts.crosses(name),
                "values": values[name],
                "published": facts.routes.get(scenario, {}).get("contender") == name,
            }
            for name in order
        ],
        "best": best,
        "users": max((one.users for found in values.values() for one in found.values()), default=0),
    }


def _best(metric: str, values: list[float]) -> float | None:
    """Return the best of a column: the largest, the smallest, of PCOC the one nearest to 1, or none."""
    if metric.partition("@")[0] in _OF_LISTS:
        return None
    if metric == "pcoc":
        return min(values, key=lambda value: abs(value - 1.0), default=None)
    return (min if metric in _LOW else max)(values, default=None)


def _choice(facts: Facts, scenario: str, route: dict[str, Any], widest: float) -> Choice:
    gain, low, high = (route.get(name) for name in ("gain", "low", "high"))
    bar = None
    if gain is not None and low is not None and high is not None and widest > 0:
        left, middle, right = (50 + 48 * value / widest for value in (low, gain, high))
        bar = (left, right - left, middle, 50.0)
    contender = str(route.get("contender", ""))
    return Choice(
        scenario,
        contender,
        facts.crosses(contender),
        str(route.get("against") or ""),
        "" if gain is None else f"{gain:+.4f}",
        f"{low:+.4f} to {high:+.4f}" if low is not None and high is not None else "",
        "" if route.get("probability") is None else f"{route['probability']:.3f}",
        count(route.get("users", 0) or 0),
        count(facts.lists.get(scenario, 0)),
        str(route.get("why", "")).removeprefix(f"{scenario} publishes {contender}").lstrip(":, "),
        bar,
    )


def label(metric: str) -> str:
    """Return a metric's name as a person writes it."""
    name, at, k = metric.partition("@")
    return f"{_NAMES.get(name, name)}{at}{k}"


def _rank(metric: str) -> tuple[int, int]:
    name, _, k = metric.partition("@")
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), int(k or 0))


def _value(one: Value | None) -> float | None:
    return None if one is None else one.value


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{value:,.0f}"


def number(value: float) -> str:
    """Return a metric."""
    return f"{value:.4f}"


def day(value: dt.date) -> str:
    """Return a date as a person writes it."""
    return f"{value.day} {value:%B %Y}"


def clock(value: dt.datetime) -> str:
    """Return a moment to the minute."""
    return f"{value:%Y-%m-%d %H:%M}"
