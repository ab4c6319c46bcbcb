"""Runs the steps of one night: decides by fingerprint, resumes what died, keeps the ledger."""

from __future__ import annotations

import datetime as dt
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from landbridge.config.schema import Config
from landbridge.lake.lake import Lake
from landbridge.pipeline.fingerprint import Fingerprint, difference, fingerprint_of
from landbridge.pipeline.ledger import Ledger, Row
from landbridge.pipeline.steps import ONLY_TABLES
from landbridge.step import Night, Outcome, Step

if TYPE_CHECKING:
    from landbridge.lake.spark import SparkLake
    from landbridge.tracking.run import Tracker


@dataclass(frozen=True)
class Decision:
    """What is to be done with a step: run it or not, and why."""

    step: Step
    run: bool
    why: str
    fingerprint: Fingerprint
    recovered: bool = False


@dataclass
class Ended:
    """What a night did: seconds by step that ran, and for those that were skipped why."""

    seconds: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def log_of(config: Config, ds: dt.date) -> Path:
    """Return the log file of a night."""
    return config.folder / "logs" / f"{ds}.log"


def night_of(config: Config, ds: dt.date, say: Callable[[str], None]) -> Night:
    """Return a night whose Spark session starts at first need."""

    @cache
    def spark_lake() -> SparkLake:
        from landbridge.lake.spark import SparkLake
        from landbridge.session import start

        return SparkLake(start(config, log_of(config, ds)), lake)

    lake = Lake(config)
    return Night(
        config,
        ds,
        lake,
        spark_lake,
        say,
        models=config.folder / "models" / str(ds),
        reports=config.folder / "reports" / str(ds),
    )


def decide(step: Step, steps: Sequence[Step], night: Night, forced: frozenset[str] = frozenset()) -> Decision:
    """Return whether a step runs now.

    It does not where the ledger, or the newest commit of every table it writes, has its fingerprint.
    """
    ledger = Ledger(night.lake)
    now = fingerprint_of(step, steps, night, ledger)
    row = ledger.last(night.ds, step.name)
    ends = _ends(ledger, row, night.ds, step)
    if step.name in forced:
        return Decision(step, True, f"asked for{ends}", now)
    if row is not None and row.fingerprint == now.value:
        return Decision(step, False, f"done before, nothing it depends on has changed{_stands(row, step)}", now)
    if (
        step.name in ONLY_TABLES
        and step.writes
        and all(night.lake.fingerprint(table) == now.value for table in step.writes)
    ):
        return Decision(
            step, False, "its tables were written by a run that died before the ledger knew", now, recovered=True
        )
    why = (
        f"has not run for {night.ds}"
        if row is None
        else difference(now, Fingerprint(row.reads, row.configuration, row.code))
    )
    return Decision(step, True, f"{why}{ends}", now)


def _stands(row: Row, step: Step) -> str:
    """What is to be said of a rollback that skipping the step leaves in force."""
    if not row.rolled_back:
        return ""
    return f"; it stands rolled back ({row.rolled_back}), --from {step.name} publishes the night's own lists again"


def _ends(ledger: Ledger, row: Row | None, ds: dt.date, step: Step) -> str:
    """What is to be said of a rollback, of this night or of the one before, that running the step ends."""
    last = row or ledger.before(ds, step.name)
    return f"; the rollback of {last.ds} ({last.rolled_back}) ends here" if last and last.rolled_back else ""


def run_steps(
    night: Night, steps: Sequence[Step], wanted: Sequence[str], tracker: Tracker, forced: frozenset[str] = frozenset()
) -> Ended:
    """Run the wanted steps in order, each unless it is done; raise what the first failing one raises."""
    ended = Ended()
    chosen = [step for step in steps if step.name in wanted]
    for number, step in enumerate(chosen, 1):
        head = f"[{number}/{len(chosen)}] {step.name}"
        decision = decide(step, steps, night, forced)
        if decision.run:
            night.say(f"{head}: {decision.why}")
            seconds = run_step(decision, night, tracker, again=step.name in forced)
            ended.seconds[step.name] = seconds
            night.say(f"{head}: done in {seconds:.1f} s")
            continue
        if decision.recovered:
            Ledger(night.lake).add(_row(decision, night, Outcome({"recovered": True}), 0.0))
        ended.skipped[step.name] = decision.why
        night.say(f"{head}: skipped, {decision.why}")
    return ended


def run_step(decision: Decision, night: Night, tracker: Tracker, again: bool) -> float:
    """Run a step, tell the tracker and the ledger; return the seconds it took."""
    step = decision.step
    tonight = replace(
        night, fingerprint=decision.fingerprint.value, run_id=tracker.run_id, again=again, say=_indented(night.say)
    )
    begun = time.monotonic()
    tracker.begin(step.name)
    with _failing(step, tracker, begun):
        outcome = step.run(tonight)
    seconds = time.monotonic() - begun
    row = _row(decision, tonight, outcome, seconds)
    tracker.end(
        step.name,
        outcome,
        params=_params(tonight, step),
        tags=_tags(row),
        seconds=seconds,
        peak_memory_mb=row.peak_memory_mb,
    )
    Ledger(night.lake).add(row)
    return seconds


@contextmanager
def _failing(step: Step, tracker: Tracker, begun: float) -> Iterator[None]:
    try:
        yield
    except BaseException:
        tracker.end(step.name, None, seconds=time.monotonic() - begun, peak_memory_mb=peak_memory_mb(), failed=True)
        raise


def _row(decision: Decision, night: Night, outcome: Outcome, seconds: float) -> Row:
    step, prints = decision.step, decision.fingerprint
    before = Ledger(night.lake).last(night.ds, step.name)
    return Row(
        night.ds,
        step.name,
        1 if before is None else before.generation + 1,
        prints.value,
        prints.code,
        prints.configuration,
        prints.reads,
        {table: night.lake.version(table) for table in step.writes},
        outcome.notes,
        git_revision(),
        seconds,
        peak_memory_mb(),
    )


def _tags(row: Row) -> dict[str, str]:
    versions = {f"wrote.{table}": str(version) for table, version in row.writes.items()}
    return {
        "fingerprint": row.fingerprint,
        "git_revision": row.git_revision,
        "generation": str(row.generation),
        **versions,
    }


def _params(night: Night, step: Step) -> dict[str, str]:
    """The versions of the tables read, and the configuration the step depends on."""
    versions = {f"read.{table}": str(night.lake.version(table)) for table in step.reads}
    tree = night.config.model_dump(mode="json")
    values = {section: str(tree.get(section.partition(".")[0])) for section in step.sections if section != "data"}
    return {**versions, **{section: value[:500] for section, value in values.items()}}


def _indented(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"      {line}")


def peak_memory_mb() -> float:
    """Peak resident memory of this process and of its largest ended child, in MB."""
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + children) / 1024


@cache
def git_revision() -> str:
    """Return the revision of the checkout that runs, or nothing where there is none."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
