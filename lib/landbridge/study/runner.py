"""Runs the trials of a study that are not done, keeps each at once, and tells MLflow."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from landbridge.errors import ConfigError
from landbridge.step import Outcome
from landbridge.study.protocol import ALL, Entry, Facts, Metric, Protocol, Trial
from landbridge.study.smaller import sentence_of
from landbridge.study.store import Store
from landbridge.tracking.run import Tracker

Say = Callable[[str], None]


def chosen(protocol: Protocol, wanted: Sequence[str] | None) -> list[Entry]:
    """Return the contenders to be studied, the control first.

    Raises
    ------
    ConfigError
        A name is none of a contender.
    """
    known = {entry.name: entry for entry in protocol.entries()}
    study = protocol.config.study
    names = list(wanted or study.contenders or [name for name, entry in known.items() if not entry.by_name])
    names = [*([] if study.control is None else [study.control]), *names, *study.controls]
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigError(f"there is no contender {', '.join(missing)} to study; contenders: {', '.join(known)}")
    control = study.control or names[0]
    return [known[name] for name in dict.fromkeys([control, *names])]


def trials_of(protocol: Protocol, entries: Sequence[Entry], seeds: Sequence[int]) -> list[Trial]:
    """Return the trials, part by part; a contender that seeds do not change is run with the first alone."""
    return [
        Trial(entry.name, seed, part)
        for part in protocol.parts
        for entry in entries
        for seed in (seeds if entry.seeded else seeds[:1])
    ]


def run_trials(
    protocol: Protocol, trials: Sequence[Trial], store: Store, say: Say, tracker: Tracker | None = None
) -> dict[Trial, Facts]:
    """Run what is not done; return the facts of all trials, old and new.

    A trial is done if its file carries the same fingerprint, so a study that was killed resumes where it stopped.
    """
    found: dict[Trial, Facts] = {}
    fingerprints = {trial: protocol.fingerprint(trial) for trial in trials}
    protocol.expect([trial for trial in trials if not store.done(trial, fingerprints[trial])], say)
    for number, trial in enumerate(trials, 1):
        fingerprint, head = fingerprints[trial], f"[{number}/{len(trials)}] {trial}"
        kept = store.facts(trial)
        new = kept is None or kept.fingerprint != dict(fingerprint)
        if new:
            kept = store.write(trial, protocol.run(trial), fingerprint)
        assert kept is not None
        found[trial] = kept
        say(f"{head}: {_said(kept, protocol.measure) if new else 'done before'}")
        if new:
            _told(protocol, trial, trials, found, store, tracker)
    return found


def _said(facts: Facts, measure: str) -> str:
    if not facts.rows:
        return f"left out: {'; '.join(facts.left_out)}"
    validation = "" if math.isnan(facts.validation) else f", {measure} on validation {facts.validation:.4f}"
    also = f"; left out: {'; '.join(facts.left_out)}" if facts.left_out else ""
    smaller = "" if facts.smaller is None else f"; {sentence_of([facts.smaller])}"
    return f"{facts.rows} rows in {facts.seconds:.1f} s{validation}{also}{smaller}"


def _told(
    protocol: Protocol,
    trial: Trial,
    trials: Sequence[Trial],
    found: Mapping[Trial, Facts],
    store: Store,
    tracker: Tracker | None,
) -> None:
    """When the last part of a contender and seed is there: keep its metrics and tell MLflow."""
    same = [one for one in trials if (one.contender, one.seed) == (trial.contender, trial.seed)]
    if any(one not in found for one in same):
        return
    rows = store.rows(trial.contender, trial.seed, [one.part for one in same])
    metrics = [] if rows is None else list(protocol.metrics(rows))
    write_metrics(store, trial, metrics)
    if tracker is None:
        return
    whose = {ALL: "all"}
    values = {f"{whose.get(one.scenario, one.scenario)}/{one.name}": one.value for one in metrics if one.slice == ALL}
    step = f"{trial.contender}, seed {trial.seed}"
    tracker.begin(step)
    seconds = sum(found[one].seconds for one in same)
    reached = [found[one].validation for one in same if not math.isnan(found[one].validation)]
    if reached:
        values["validation"] = sum(reached) / len(reached)
    for place, one in enumerate(found[same[-1]].curve):
        tracker.metrics(step, [("curve", one[2], place)])
    tracker.end(
        step,
        Outcome(metrics={name: value for name, value in values.items() if math.isfinite(value)}),
        params={"contender": trial.contender, "seed": trial.seed, "parts": ",".join(one.part for one in same)},
        tags={f"fingerprint.{name}": value for name, value in found[same[-1]].fingerprint.items()},
        seconds=seconds,
    )


def write_metrics(store: Store, trial: Trial, metrics: Sequence[Metric]) -> Path:
    """Write all numbers of a contender and seed as ``metrics/<contender>.<seed>.csv``."""
    file = store.folder / "metrics" / store.file(trial).name.replace(f".{trial.part}.parquet", ".csv")
    file.parent.mkdir(parents=True, exist_ok=True)
    working = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with working.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["contender", "seed", "scenario", "slice", "name", "value", "rows"])
        writer.writeheader()
        for one in metrics:
            writer.writerow({"contender": trial.contender, "seed": trial.seed, **asdict(one)})
    working.replace(file)
    return file
