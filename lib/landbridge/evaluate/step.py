"""The step evaluate: judge every contender, decide what each scenario publishes, and make the night's bundle."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.config.days import Window, windows_of
from landbridge.config.newcomers import Newcomer
from landbridge.config.schema import Config
from landbridge.contenders.base import ALL, Fitted
from landbridge.contenders.bundle import Route, build
from landbridge.contenders.folder import find_fitted, load_fitted, read_meta, scope_folder, scope_of
from landbridge.contenders.lent import LENT
from landbridge.contenders.simple import POPULARITIES
from landbridge.errors import TrainError
from landbridge.evaluate.drawn import draw
from landbridge.evaluate.gains import Trial
from landbridge.evaluate.guard import Decision, decide
from landbridge.evaluate.judge import Judged, judge
from landbridge.evaluate.metrics import at, ranking_names
from landbridge.evaluate.newcomers import awaited, neighbours_of, sentence_of
from landbridge.evaluate.part_windows import units_of_part
from landbridge.evaluate.plot import plot
from landbridge.evaluate.table import ALL_WINDOWS, Row, arrow_rows, rows_of
from landbridge.evaluate.units import Units, units_of
from landbridge.feed.assemble import Assembler
from landbridge.feed.learned import FitRows
from landbridge.step import Night, Outcome, Step
from landbridge.tracking.registry import register

_THREADS = min(4, os.cpu_count() or 1)
"""Contenders that are judged at once; each holds a block of scores."""


def run(night: Night) -> Outcome:
    """Write `metrics`, decide by the rule of publishing, build and register the bundle."""
    config = night.config
    scenarios = fitted_scenarios(night.models)
    crossing = crossing_of(night.models, scenarios)
    judged = judge_all(night, scenarios)
    rows = rows_of(judged, config)
    night.lake.replace_day("metrics", arrow_rows(rows, night.ds, config.seed), night.ds, night.fingerprint)
    decisions = decide(
        trials_of(judged, night.models, scenarios, config), crossing, config.transfer.source, config.guard, config.seed
    )
    for decision in decisions.values():
        night.say(decision.sentence)
    routes = {
        scenario: Route(decision.published, "C", _for_the_unknown(judged, night.models, scenario, config))
        for scenario, decision in decisions.items()
    }
    newcomers, said = awaited(config.newcomers, routes)
    bundle, neighbours = build_bundle(night, routes, newcomers)
    for sentence in [*said, *(sentence_of(*one) for one in neighbours.items())]:
        night.say(sentence)
    version = register(night, bundle)
    published = {scenario: route.contender for scenario, route in routes.items()}
    guard = config.guard
    picture = plot(rows, published, crossing, guard.metric, guard.k, night.models / "evaluate.png")
    notes = _notes(rows, decisions, routes, judged, version, config)
    notes["routes"] |= {name: _lent(name, weights) for name, weights in neighbours.items()}
    return Outcome({**notes, **({"left_out": said} if said else {})}, _flat(rows, config), (picture,))


def fitted_scenarios(models: Path) -> list[str]:
    """Return the scenarios for which fit C holds anything, ascending.

    Raises
    ------
    TrainError
        If there is none: nothing could be published.
    """
    found = sorted(
        scope_of(folder.name) for folder in (models / "fits" / "C").glob("*") if any(folder.glob("*/meta.json"))
    )
    scenarios = [scope for scope in found if scope != ALL]
    if not scenarios:
        raise TrainError(
            f"{models}/fits/C holds no fitted contender of any scenario: run the steps pretrain and finetune"
        )
    return scenarios


def crossing_of(models: Path, scenarios: Sequence[str]) -> set[str]:
    """Return the names of the contenders that learned across scenarios, as their folders say."""
    folders = [folder for scenario in scenarios for folder in find_fitted(models, "C", scenario).values()]
    return {folder.name for folder in folders if read_meta(folder)["crosses"]}


def judge_all(night: Night, scenarios: Sequence[str]) -> list[Judged]:
    """Judge every fitted contender of fits A and B on the windows that are theirs."""
    config = night.config
    assembler = Assembler.load(night.models / "assembler")
    rows = FitRows(night.lake, assembler.vocabulary, night.ds)
    judged: list[Judged] = []
    pooled: dict[Path, Fitted] = {}
    for window in windows_of(config, night.ds):
        units = _units_in(window, rows, assembler, scenarios, config)
        for one in units:
            judged += _judge_units(night.models, one, config, pooled)
        counted = sum(len(one) for one in units)
        which = f"window {window.index}, days after {window.since} until {window.until}"
        told = which if config.split.part is None else "part"
        night.say(f"{window.split} {told}: {counted} users judged in {len(units)} scenarios")
    return judged


def _units_in(
    window: Window, rows: FitRows, assembler: Assembler, scenarios: Sequence[str], config: Config
) -> list[Units]:
    if config.split.part is not None:
        return units_of_part(rows, assembler, window, scenarios, config.evaluate.users)
    return units_of(rows.lake, rows.whole, assembler, window, scenarios, config.evaluate.users)


def _judge_units(models: Path, units: Units, config: Config, pooled: dict[Path, Fitted]) -> list[Judged]:
    drawn = draw(units, config.evaluate.candidates, config.seed)
    found = find_fitted(models, units.window.fit, units.scenario)
    for folder in found.values():
        if folder.parent.name == scope_folder(ALL) and folder not in pooled:
            # Kept for the next scenario; those of an earlier fit are not asked again.
            for old in [path for path in pooled if path.parent.parent != folder.parent.parent]:
                del pooled[old]
            pooled[folder] = load_fitted(folder)

    def judged_of(name: str) -> Judged:
        return judge(pooled.get(found[name]) or load_fitted(found[name]), name, units, drawn, config)

    # Matrix products leave Python's lock to others, so contenders are judged side by side.
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(judged_of, found))


def trials_of(judged: Sequence[Judged], models: Path, scenarios: Sequence[str], config: Config) -> list[Trial]:
    """Return for each scenario the guard's metric of every contender on its validation units.

    A contender takes part if it was judged on all of them and if there is a fit C of it to publish.
    """
    column = ranking_names(config.evaluate.k).index((config.guard.metric, config.guard.k))
    trials = []
    for scenario in scenarios:
        own = [one for one in judged if (one.scenario, one.split) == (scenario, "validation")]
        windows = sorted({one.window for one in own})
        user_of_window = {one.window: one.user_B for one in own}
        values = {}
        for name in find_fitted(models, "C", scenario):
            parts = sorted((one for one in own if one.contender == name), key=lambda one: one.window)
            if [one.window for one in parts] == windows:
                values[name] = np.concatenate([np.zeros(0), *(one.ranking_BM[:, column] for one in parts)])
        users = np.concatenate([np.zeros(0, np.int32), *(user_of_window[window] for window in windows)])
        trials.append(Trial(scenario, users, len(windows), values))
    return trials


def _for_the_unknown(judged: Sequence[Judged], models: Path, scenario: str, config: Config) -> str:
    """Return the popularity that makes the list of whoever is unknown: the better one on validation."""
    column = ranking_names(config.evaluate.k).index((config.guard.metric, config.guard.k))

    def mean(name: str) -> float:
        values = [
            one.ranking_BM[:, column]
            for one in judged
            if (one.scenario, one.split, one.contender) == (scenario, "validation", name)
        ]
        return float(np.concatenate(values).mean()) if values else 0.0

    there = [name for name in POPULARITIES if name in find_fitted(models, "C", scenario)]
    if not there:
        raise TrainError(f"no popularity of fit C was fitted for {scenario} in {models}/fits: run the step finetune")
    return max(there, key=mean)


def _lent(name: str, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return what is noted of a newcomer in the place of a decision."""
    return {
        "contender": LENT,
        "fit": "C",
        "unknown": LENT,
        "neighbours": {other: round(weight, 4) for other, weight in weights.items()},
        "why": sentence_of(name, weights),
        "users": 0,
    }


def build_bundle(
    night: Night, routes: dict[str, Route], newcomers: Mapping[str, Newcomer]
) -> tuple[Path, dict[str, dict[str, float]]]:
    """Build the bundle; return its folder, and the neighbours' weights of every newcomer."""
    # Spark is imported here alone: the catalogue is a Spark expression, everything else of this step needs no JVM.
    from landbridge.lake.catalogue import catalogues

    catalogue = catalogues(night.spark_lake(), night.ds, newcomers).toArrow()
    neighbours: dict[str, dict[str, float]] = {}
    if newcomers:
        assembler, tomorrow = Assembler.load(night.models / "assembler"), night.ds + dt.timedelta(days=1)
        neighbours = neighbours_of(newcomers, sorted(routes), catalogue, assembler, tomorrow)
    folder = build(night.models, routes, night.lake, night.ds, night.models / "bundle", catalogue, neighbours)
    return folder, neighbours


def _notes(
    rows: Sequence[Row],
    decisions: dict[str, Decision],
    routes: dict[str, Route],
    judged: Sequence[Judged],
    version: str,
    config: Config,
) -> dict[str, Any]:
    entries = {
        scenario: {
            "contender": routes[scenario].contender,
            "fit": "C",
            "unknown": routes[scenario].unknown,
            "against": decision.control,
            "why": decision.sentence,
            **{name: decision.as_note()[name] for name in ("gain", "low", "high", "probability", "users")},
        }
        for scenario, decision in decisions.items()
    }
    guard = config.guard
    table: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        if (row.window, row.metric, row.k) == (ALL_WINDOWS, guard.metric, guard.k):
            numbers = [round(number, 4) for number in (row.value, row.low, row.high)]
            table.setdefault(row.split, {}).setdefault(row.scenario, {})[row.contender] = [*numbers, row.users]
    units = {(one.split, one.window, one.scenario): len(one.user_B) for one in judged}
    return {
        "decisions": {name: decision.as_note() for name, decision in decisions.items()},
        "routes": entries,
        "metric": at(guard.metric, guard.k),
        "table": table,
        "model_version": version,
        "units": [[*key, count] for key, count in sorted(units.items())],
    }


def _flat(rows: Sequence[Row], config: Config) -> dict[str, float]:
    """Return the metrics that the tracker keeps: the guard's and AUC on each split, by names that it allows."""
    kept = {(config.guard.metric, config.guard.k), ("auc", 0), ("recall", max(config.evaluate.k))}
    return {
        re.sub(r"[^\w\-. /]", "_", f"{row.split}/{row.scenario}/{row.contender}/{at(row.metric, row.k)}"): row.value
        for row in rows
        if row.window == ALL_WINDOWS and (row.metric, row.k) in kept and not np.isnan(row.value)
    }


EVALUATE = Step(
    "evaluate",
    reads=("examples", "histories", "statistics", "vocabulary", "items"),
    writes=("metrics",),
    sections=(
        "data",
        "features",
        "split",
        "transfer",
        "contenders",
        "guard",
        "evaluate",
        "recommend",
        "newcomers",
        "seed",
        "days",
    ),
    run=run,
)
