"""The step evaluate of a pointwise night: judge every contender, decide what each scenario publishes, bundle it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.contenders.base import ALL
from landbridge.contenders.folder import find_fitted, read_meta
from landbridge.contenders.point_bundle import build_points
from landbridge.errors import TrainError
from landbridge.evaluate.guard import Decision, decide
from landbridge.evaluate.plot import plot
from landbridge.evaluate.point_judge import JudgedPoints, judge_points, trials_of
from landbridge.evaluate.point_table import point_rows
from landbridge.evaluate.table import ALL_WINDOWS, Row, arrow_rows
from landbridge.feed.questions import Questions
from landbridge.step import Night, Outcome, Step
from landbridge.tracking.registry import register

_TRACKED = ("auc", "log_loss", "pr_auc", "ks", "pcoc", "ece")


def run(night: Night) -> Outcome:
    """Write `metrics`, decide by the rule of publishing, build and register the bundle."""
    config = night.config
    questions = Questions.read(night.lake, night.ds)
    scenarios = _complete(night.models, questions.scenarios)
    crossing = _crossing(night.models, scenarios)
    judged = judge_points(night.models, questions, config.evaluate.users)
    rows = point_rows(judged, config.evaluate.resamples, config.seed)
    night.lake.replace_day("metrics", arrow_rows(rows, night.ds, config.seed), night.ds, night.fingerprint)
    trials = trials_of(judged, night.models, scenarios, config.scores.metric)
    decisions = decide(trials, crossing, config.transfer.source, config.guard, config.seed)
    for decision in decisions.values():
        night.say(decision.sentence)
    published = {scenario: decision.published for scenario, decision in decisions.items()}
    bundle = build_points(night.models, published, night.lake, night.ds, night.models / "bundle")
    version = register(night, bundle)
    picture = plot(rows, published, crossing, config.scores.metric, 0, night.models / "evaluate.png", left=None)
    notes = _notes(rows, decisions, crossing, judged, config.scores.metric)
    return Outcome({**notes, "model_version": version}, _flat(rows), (picture,))


def _complete(models: Path, scenarios: Sequence[str]) -> list[str]:
    """Return the scenarios; each has something of fit C to publish.

    Raises
    ------
    TrainError
        If one has nothing.
    """
    missing = [scenario for scenario in scenarios if not find_fitted(models, "C", scenario)]
    if missing:
        raise TrainError(
            f"{models}/fits/C holds nothing that could be published for {', '.join(missing)}: run the step finetune, "
            "or let the contender constant compete (scores.contenders), which every scenario can have"
        )
    return list(scenarios)


def _crossing(models: Path, scenarios: Sequence[str]) -> set[str]:
    folders = {folder for scenario in scenarios for folder in find_fitted(models, "C", scenario).values()}
    return {folder.name for folder in folders if read_meta(folder)["crosses"]}


def _notes(
    rows: Sequence[Row],
    decisions: Mapping[str, Decision],
    crossing: set[str],
    judged: Sequence[JudgedPoints],
    metric: str,
) -> dict[str, Any]:
    entries = {
        scenario: {
            "contender": decision.published,
            "fit": "C",
            "against": decision.control,
            "why": decision.sentence,
            **{name: decision.as_note()[name] for name in ("gain", "low", "high", "probability", "users")},
        }
        for scenario, decision in decisions.items()
    }
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        if (row.window, row.metric) == (ALL_WINDOWS, metric):
            numbers = [round(number, 4) for number in (row.value, row.low, row.high)]
            table.setdefault(row.split, {}).setdefault(row.scenario, {})[row.contender] = [*numbers, row.users]
    units = {(one.split, one.scenario): len(one.label_N) for one in judged}
    return {
        "decisions": {name: decision.as_note() for name, decision in decisions.items()},
        "routes": entries,
        "metric": metric,
        "crossing": sorted(crossing),
        "table": table,
        "units": [[*key, count] for key, count in sorted(units.items())],
    }


def _flat(rows: Sequence[Row]) -> dict[str, float]:
    """Return the metrics that the tracker keeps, by names that it allows."""
    named = {ALL: "all"}
    return {
        re.sub(
            r"[^\w\-. /]", "_", f"{row.split}/{named.get(row.scenario, row.scenario)}/{row.contender}/{row.metric}"
        ): row.value
        for row in rows
        if row.window == ALL_WINDOWS and row.metric in _TRACKED and not np.isnan(row.value)
    }


EVALUATE = Step(
    "evaluate",
    reads=("examples", "subjects"),
    writes=("metrics",),
    sections=("pointwise", "split", "transfer", "scores", "guard", "evaluate", "seed"),
    run=run,
)
