"""What a pointwise night can tell: how many subjects were scored, and how their probabilities are spread."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.lake.lake import Lake
from landbridge.report.facts import Facts, fill, number_of, scan

BINS = 20


@dataclass
class PointFacts(Facts):
    """What is known of a pointwise night; `lists` counts the subjects of a scenario."""

    histogram: dict[str, list[int]] = field(default_factory=dict)
    """Subjects by scenario and bin of the score, from 0 to 1."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the scores by scenario."""
    pooled: ClassVar[tuple[str, str]] = ("*", "All scenarios")
    served: ClassVar[str] = "Subjects scored"

    @property
    def have(self) -> str:
        """What whoever is served has."""
        return "subjects have a score"

    @property
    def guard_metric(self) -> str:
        """The metric of the rule of publishing."""
        return self.config.scores.metric

    def crosses(self, contender: str) -> bool:
        """Whether a contender learned from other scenarios, as the step evaluate found in its folder."""
        return contender in self.notes("evaluate").get("crossing", ())

    @property
    def spread(self) -> list[Mapping[str, Any]]:
        """Of each scenario its rows by role, the share of positives among what was learned from, and the mean score."""
        roles, shares = self.notes("pretrain").get("roles", {}), self.notes("finetune").get("positive", {})
        return [
            {
                "scenario": name,
                **{role: roles.get(name, {}).get(role, 0) for role in ("train", "validation", "test")},
                "scored": count,
                "share": shares.get(name),
                "mean": self.sums[name] / max(count, 1),
            }
            for name, count in self.lists.items()
        ]


def gather_points(lake: Lake, models: Path, ds: dt.date) -> PointFacts:
    """Return what lake and models tell of the night of `ds`."""
    facts = PointFacts(lake.config, ds)
    fill(facts, lake, models)
    _scored(lake, facts)
    return facts


def _scored(lake: Lake, facts: PointFacts) -> None:
    counts: dict[str, np.ndarray[Any, Any]] = defaultdict(lambda: np.zeros(BINS, np.int64))
    sums: dict[str, float] = defaultdict(float)
    columns = ["scenario", "score", "model_version", "run_id"]
    for batch in scan(lake, "scores", columns, pc.field("ds") == pa.scalar(facts.ds)):
        if not batch.num_rows:
            continue
        coded = batch["scenario"].dictionary_encode()
        index, score = coded.indices.to_numpy(), batch["score"].to_numpy()
        bin_N = np.minimum((score * BINS).astype(np.intp), BINS - 1)
        for code, name in enumerate(coded.dictionary.to_pylist()):
            counts[name] += np.bincount(bin_N[index == code], minlength=BINS)
            sums[name] += float(score[index == code].sum())
        # After a rollback of one scenario the day names two versions: the newest is the champion.
        versions = {facts.model_version, *pc.unique(batch["model_version"]).to_pylist()}
        facts.model_version, facts.run_id = max(versions, key=number_of), batch["run_id"][0].as_py()
    facts.histogram = {name: [int(count) for count in counts[name]] for name in sorted(counts)}
    facts.lists = {name: sum(found) for name, found in facts.histogram.items()}
    facts.sums = dict(sums)
