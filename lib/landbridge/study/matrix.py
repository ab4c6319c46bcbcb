"""Which source helps which target: each target with the rows of one source beside its own, against its own alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender
from landbridge.feed.rows import Rows
from landbridge.study.pointwise import Material, PointStudy, fitted_and_scored
from landbridge.study.protocol import ALL, ALONE, EVERY, Entry, Measured, Metric, Protocol, Scored, Trial, check_crosses


@dataclass
class SourceStudy(Protocol):
    """A study whose contenders are the sources: nothing (`alone`, the control), everything (`all`), each scenario."""

    config: Config
    base: PointStudy
    contender: PointContender
    measure: str = "auc"

    @classmethod
    def of(cls, base: PointStudy, name: str) -> SourceStudy:
        """Return the sources of a contender.

        Raises
        ------
        ConfigError
            There is no such contender, or it does not cross.
        """
        check_crosses([one.name for one in base.contenders.values() if one.crosses], name)
        return cls(base.config, base, base.contenders[name])

    @property
    def parts(self) -> Sequence[str]:
        """Those of the task."""
        return self.base.parts

    def entries(self) -> Sequence[Entry]:
        """The control, every scenario as a source, and all of them."""
        known = sorted(set(self.base.examples.table["scenario"].unique().to_pylist()))
        return [Entry(name, name != ALONE, self.contender.seeded) for name in (ALONE, *known, EVERY)]

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return the contender's own fingerprint; the source is the trial's name."""
        return self.base.fingerprint(Trial(self.contender.name, trial.seed, trial.part))

    def run(self, trial: Trial) -> Scored:
        """Fit for each target on its rows and the source's; score the target's judged rows."""
        whole = self.base.material(trial.part, self.contender.holds_out)
        if trial.contender == EVERY:
            return self._scored(whole, trial)
        parts = [
            self._scored(_material(whole, target, trial.contender), trial)
            for target in whole.test.scenarios
            if target != trial.contender
        ]
        return Scored.of(parts)

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return AUC by target; there is none of all, because a source's own rows are not judged."""
        return {target: one for target, one in self.base.measured(rows).items() if target != ALL}

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return what the task measures."""
        return self.base.metrics(rows)

    def _scored(self, material: Material, trial: Trial) -> Scored:
        return fitted_and_scored(self.config, self.contender, material, trial, validation=False)


def _material(whole: Material, target: str, source: str) -> Material:
    """Return the training rows of target and source, and held-out and judged rows of the target."""
    held_out = None if whole.held_out is None else whole.held_out.of_scenario(target)
    return Material(_of(whole.rows, {target, source}), held_out, whole.test.of_scenario(target), whole.vectors)


def _of(rows: Rows, scenarios: set[str]) -> Rows:
    return rows.take(np.isin(rows.scenario_N, [rows.coding.scenario(name) for name in scenarios]))
