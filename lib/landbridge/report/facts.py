"""Everything a night can tell, gathered from the lake, its ledger and the models; what is missing stays empty."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.schema import Config
from landbridge.contenders.lent import LENT
from landbridge.lake.contracts import NEW_USER
from landbridge.lake.lake import Lake
from landbridge.step import FLOW

if TYPE_CHECKING:
    from landbridge.report.groups import Flow

DAYS = 30
"""Days that the page looks back."""


@dataclass(frozen=True)
class StepRow:
    """The newest run of a step, as the ledger has it."""

    step: str
    seconds: float
    peak_memory_mb: float
    generation: int
    notes: Mapping[str, Any]
    writes: Mapping[str, Any]
    fingerprint: str
    git_revision: str


@dataclass(frozen=True)
class Value:
    """A metric with its interval over users."""

    value: float
    low: float | None
    high: float | None
    users: int


Metrics = dict[tuple[str, str], dict[str, dict[str, Value]]]
"""(split, scenario) -> contender -> metric (as ``ndcg@10``) -> value, over all windows of the split."""


@dataclass
class Facts:
    """What is known of a night."""

    config: Config
    ds: dt.date
    steps: dict[str, StepRow] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    events_by_day: dict[dt.date, int] = field(default_factory=dict)
    quarantined_by_day: dict[dt.date, Counter[str]] = field(default_factory=dict)
    """Rows by rule; a row counts for every rule it broke."""
    lists: dict[str, int] = field(default_factory=dict)
    """Users with a list by scenario, without ``__new__``."""
    versions: dict[str, int] = field(default_factory=dict)
    losses: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Network -> fit -> loss by step."""
    flows: Sequence[Flow] = ()
    """How groups of the source's users flow into the targets."""
    model_version: str = ""
    run_id: str = ""
    pooled: ClassVar[tuple[str, str]] = ("targets", "All targets")
    """The scenario that stands for several in `metrics`, and what a person calls it."""
    served: ClassVar[str] = "Users with a list"

    def notes(self, step: str) -> Mapping[str, Any]:
        """The notes of a step; empty where it has none."""
        return self.steps[step].notes if step in self.steps else {}

    @property
    def routes(self) -> dict[str, Mapping[str, Any]]:
        """What each scenario publishes and why, the source first, the others by users."""
        routes: dict[str, Mapping[str, Any]] = dict(self.notes("evaluate").get("routes", {}))
        source = self.config.transfer.source
        return dict(sorted(routes.items(), key=lambda one: (one[0] != source, -self.lists.get(one[0], 0), one[0])))

    @property
    def have(self) -> str:
        """What whoever is served has."""
        return f"users have a list of {self.config.recommend.k}"

    @property
    def guard_metric(self) -> str:
        """The metric of the rule of publishing, as the tables name it."""
        return f"{self.config.guard.metric}@{self.config.guard.k}"

    def crosses(self, contender: str) -> bool:
        """Whether a contender learned from other scenarios."""
        crossing = {*self.config.transfer.strategies, LENT}
        return contender.endswith("_across") or contender in crossing


def gather(lake: Lake, models: Path, ds: dt.date) -> Facts:
    """Return what lake and models tell of the night of `ds`."""
    facts = Facts(lake.config, ds)
    fill(facts, lake, models)
    _published(lake, facts)
    return facts


def fill(facts: Facts, lake: Lake, models: Path) -> None:
    """Add what there is of every night, whatever it publishes."""
    ds = facts.ds
    facts.steps = steps_of(lake, ds)
    facts.metrics = metrics_of(lake, ds)
    facts.events_by_day = _rows_by_day(lake, "events", ds)
    facts.quarantined_by_day = _quarantined(lake, ds)
    facts.versions = {name: lake.version(name) for name in lake.contracts if lake.exists(name)}
    facts.losses = losses_of(models)


def steps_of(lake: Lake, ds: dt.date) -> dict[str, StepRow]:
    """Return the newest run of every step for a day, in the order of the flow."""
    found: dict[str, StepRow] = {}
    for row in _rows(lake, "ledger", pc.field("ds") == pa.scalar(ds)):
        known = found.get(row["step"])
        if known is None or row["generation"] > known.generation:
            found[row["step"]] = StepRow(
                row["step"],
                row["seconds"],
                row["peak_memory_mb"],
                row["generation"],
                json.loads(row["notes"]),
                json.loads(row["writes"]),
                row["fingerprint"],
                row["git_revision"],
            )
    return {name: found[name] for name in FLOW if name in found}


def metrics_of(lake: Lake, ds: dt.date) -> Metrics:
    """Return the metrics of a night over all windows of each split."""
    found: Metrics = defaultdict(lambda: defaultdict(dict))
    condition = (pc.field("ds") == pa.scalar(ds)) & (pc.field("window") == -1) & (pc.field("slice") == "all")
    for row in _rows(lake, "metrics", condition):
        if row["value"] is None:
            continue
        name = f"{row['metric']}@{row['k']}" if row["k"] else row["metric"]
        value = Value(row["value"], row["low"], row["high"], row["users"])
        found[row["split"], row["scenario"]][row["contender"]][name] = value
    return {key: dict(values) for key, values in found.items()}


def losses_of(models: Path) -> dict[str, dict[str, list[float]]]:
    """Return network -> contender, scope and fit -> loss by step."""
    lines: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted(models.glob("losses-*.csv"), reverse=True):
        with file.open(encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                lines[row["network"]][f"{row['contender']} {row['scope']} {row['fit']}"].append(float(row["loss"]))
    return {network: dict(fits) for network, fits in lines.items()}


def scan(lake: Lake, name: str, columns: list[str], where: pc.Expression) -> Iterator[pa.RecordBatch]:
    """Stream batches of a table; nothing where it does not exist."""
    if lake.exists(name):
        yield from lake.scan(name, columns=columns, where=where)


def _rows(lake: Lake, name: str, where: pc.Expression) -> list[dict[str, Any]]:
    """Return the rows of a table of a night that is small whatever the data."""
    return list(lake.read(name, where=where).to_pylist()) if lake.exists(name) else []


def _rows_by_day(lake: Lake, name: str, ds: dt.date) -> dict[dt.date, int]:
    """Return the rows of each of the last days, out of the table's log."""
    if not lake.exists(name):
        return {}
    log = pa.table(lake.delta(name).get_add_actions(flatten=True)).select(["partition.ds", "num_records"])
    counts: Counter[dt.date] = Counter()
    for day, rows in zip(log["partition.ds"].to_pylist(), log["num_records"].to_pylist(), strict=True):
        if ds - dt.timedelta(days=DAYS) < day <= ds:
            counts[day] += rows or 0
    return dict(sorted(counts.items()))


def _quarantined(lake: Lake, ds: dt.date) -> dict[dt.date, Counter[str]]:
    recent = (pc.field("ds") > pa.scalar(ds - dt.timedelta(days=DAYS))) & (pc.field("ds") <= pa.scalar(ds))
    counts: dict[dt.date, Counter[str]] = defaultdict(Counter)
    for batch in scan(lake, "quarantine", ["ds", "rules"], recent):
        days = batch["ds"].take(pc.list_parent_indices(batch["rules"]))
        table = pa.table({"ds": days, "rule": pc.list_flatten(batch["rules"])}).group_by(["ds", "rule"])
        for row in table.aggregate([([], "count_all")]).to_pylist():
            counts[row["ds"]][row["rule"]] += row["count_all"]
    return dict(sorted(counts.items()))


def number_of(version: str) -> tuple[int, str]:
    """Return what orders versions by their numbers."""
    return len(version), version


def _published(lake: Lake, facts: Facts) -> None:
    counts: Counter[str] = Counter()
    columns = ["scenario", "model_version", "run_id"]
    listed = (pc.field("ds") == pa.scalar(facts.ds)) & (pc.field("user_id") != NEW_USER)
    for batch in scan(lake, "recommendations", columns, listed):
        for row in batch["scenario"].value_counts().to_pylist():
            counts[row["values"]] += row["counts"]
        if batch.num_rows:
            # After a rollback of one scenario the day names two versions: the newest is the champion.
            versions = {facts.model_version, *pc.unique(batch["model_version"]).to_pylist()}
            facts.model_version, facts.run_id = max(versions, key=number_of), batch["run_id"][0].as_py()
    facts.lists = dict(sorted(counts.items()))
