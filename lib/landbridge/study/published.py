"""What the rule of publishing chooses, as one more row of the table: it never sees the rows that it is judged on.

For each part the contenders of ``study.published`` are fitted and judged once more without its rows (of five folds: on
the other four, each judged by the other three's fit); the rule (evaluate.guard) decides on those scores, and what it
chose for a scenario gives the scenario's scores in the part. Beside that stands what the rule says on all parts: that
is what would be published tomorrow.

Notes
-----
The rule wants a number a unit. Units are users here: user u of U stands for value + U * influence_u, the pseudo-value
of the measure. Its mean is the measure, and weighing users moves it as it moves the measure, to first order.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.code import code_of
from landbridge.evaluate.gains import Trial as Judged
from landbridge.evaluate.guard import Decision, decide
from landbridge.study.protocol import ALL, Entry, Facts, Measured, Protocol, Scored, Trial
from landbridge.study.runner import run_trials, trials_of, write_metrics
from landbridge.study.store import Store

PUBLISHED = "published"
Say = Callable[[str], None]
Decisions = dict[str, Decision]


def with_published(
    protocol: Protocol, entries: Sequence[Entry], facts: dict[Trial, Facts], seed: int, store: Store, say: Say
) -> tuple[list[Entry], dict[Trial, Facts]]:
    """Return entries and facts with those of what is published; as they were where nothing is declared to compete."""
    competing = [entry for entry in entries if entry.name in protocol.config.study.published]
    if len({entry.crosses for entry in competing}) < 2:
        return list(entries), facts
    inner: dict[str, dict[Trial, Facts]] = {}
    for part in protocol.parts:
        choosing = protocol.choosing(part)
        say(f"what to publish in {part}, decided on {', '.join(choosing.parts)}:")
        trials = trials_of(choosing, competing, [seed])
        inner[part] = run_trials(choosing, trials, _store(store, part), say)
    trials = [Trial(PUBLISHED, seed, part) for part in protocol.parts]
    fingerprint = _fingerprint(protocol, competing, facts, inner)
    kept = _kept(store, trials, fingerprint)
    if kept is None:
        kept = _decide(protocol, competing, store, trials, fingerprint)
    for line in summary(store.folder / "published.csv"):
        say(line)
    return [*entries, Entry(PUBLISHED, True, False)], {**facts, **kept}


def decisions_of(protocol: Protocol, entries: Sequence[Entry], seed: int, store: Store) -> Decisions:
    """Return what the rule says of the kept scores of all parts of a protocol, by scenario."""
    measured = {}
    for entry in entries:
        rows = store.rows(entry.name, seed, protocol.parts)
        measured[entry.name] = {} if rows is None else dict(protocol.measured(rows))
    config, crossing = protocol.config, {entry.name for entry in entries if entry.crosses}
    judged = judged_of(measured, len(protocol.parts))
    return decide(judged, crossing, config.transfer.source, config.guard, config.seed)


def judged_of(measured: Mapping[str, Mapping[str, Measured]], parts: int) -> list[Judged]:
    """Return, by scenario, the pseudo-values of every contender that was judged on all of its users."""
    scenarios = sorted({scenario for found in measured.values() for scenario in found} - {ALL})
    ids = pa.chunked_array([one.user_ids for found in measured.values() for one in found.values()], pa.string())
    known = pc.unique(ids)
    judged = []
    for scenario in scenarios:
        found = {name: some[scenario] for name, some in measured.items() if scenario in some}
        whole = max(found.values(), key=lambda one: one.rows)
        alike = {name: one for name, one in found.items() if one.rows == whole.rows}
        users = pc.index_in(whole.user_ids, value_set=known).to_numpy().astype(np.int32)
        values = {name: one.value + len(users) * one.influence_U for name, one in alike.items()}
        judged.append(Judged(scenario, users, parts, values))
    return judged


def summary(file: Path) -> list[str]:
    """Return a sentence a scenario: what the rule says on all parts, and what it chose in how many of them."""
    with file.open(encoding="utf-8") as read:
        rows = list(csv.DictReader(read))
    chosen: dict[str, Counter[str]] = {}
    for row in rows:
        if row["part"] != ALL:
            chosen.setdefault(row["scenario"], Counter())[row["published"]] += 1
    told = {
        scenario: ", ".join(f"{name} {times}x" for name, times in count.most_common())
        for scenario, count in chosen.items()
    }
    return [f"{row['sentence']}; in the parts: {told.get(row['scenario'], '')}" for row in rows if row["part"] == ALL]


def _decide(
    protocol: Protocol, entries: Sequence[Entry], store: Store, trials: Sequence[Trial], fingerprint: dict[str, str]
) -> dict[Trial, Facts]:
    """Decide for each part and on all of them; keep the scores of what was chosen, and every decision."""
    kept: dict[Trial, Facts] = {}
    decisions: dict[str, Decisions] = {}
    for trial in trials:
        inner = _store(store, trial.part)
        decisions[trial.part] = decisions_of(protocol.choosing(trial.part), entries, trial.seed, inner)
        kept[trial] = store.write(trial, _scored(decisions[trial.part], store, trial), fingerprint)
    decisions[ALL] = decisions_of(protocol, entries, trials[0].seed, store)
    _write(decisions, store.folder / "published.csv")
    rows = store.rows(PUBLISHED, trials[0].seed, protocol.parts)
    write_metrics(store, trials[0], [] if rows is None else list(protocol.metrics(rows)))
    return kept


def _scored(decisions: Decisions, store: Store, trial: Trial) -> Scored:
    """Return the rows that the chosen contenders scored in a part; the column `chosen` names them."""
    tables = []
    for scenario, decision in decisions.items():
        rows = store.rows(decision.published, trial.seed, [trial.part])
        if rows is not None:
            own = rows.filter(pc.equal(rows["scenario"], scenario)).drop_columns(["contender", "seed"])
            tables.append(own.append_column("chosen", pa.repeat(pa.scalar(decision.published), own.num_rows)))
    return Scored(pa.concat_tables(tables) if tables else None, 0.0)


def _write(decisions: Mapping[str, Decisions], file: Path) -> None:
    rows = [{"part": part} | one.as_note() for part, found in decisions.items() for one in found.values()]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]) if rows else ["part"])
        writer.writeheader()
        writer.writerows(rows)


def _kept(store: Store, trials: Sequence[Trial], fingerprint: dict[str, str]) -> dict[Trial, Facts] | None:
    found = {trial: store.facts(trial) for trial in trials}
    done = {trial: one for trial, one in found.items() if one is not None and one.fingerprint == fingerprint}
    return done if len(done) == len(trials) and (store.folder / "published.csv").exists() else None


def _fingerprint(
    protocol: Protocol, entries: Sequence[Entry], facts: Mapping[Trial, Facts], inner: Mapping[str, dict[Trial, Facts]]
) -> dict[str, str]:
    """Return a hash of all scores that decide or are published, and of the rule."""
    names, config = {entry.name for entry in entries}, protocol.config
    outer = {str(trial): one.fingerprint for trial, one in facts.items() if trial.contender in names}
    deeper = {part: {str(trial): one.fingerprint for trial, one in some.items()} for part, some in inner.items()}
    code = [code_of("landbridge.evaluate.guard"), code_of(__name__)[__name__]]
    rule = [config.guard.model_dump(), config.transfer.source, config.seed, sorted(names)]
    told = json.dumps([outer, deeper, code, rule], sort_keys=True, default=str)
    return {"choice": hashlib.sha256(told.encode()).hexdigest()[:16]}


def _store(store: Store, part: str) -> Store:
    return Store(store.folder / "chosen" / f"without_{part}")
