"""A scenario without a log: each in turn is judged by what was fitted on the rows of the others alone.

No row of the scenario is learned from, none is held out to stop by, and its items are unknown where the others lack
them: what is known of it is its catalogue, the numbers and tags of its items. Its users may be known by the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender
from landbridge.contenders.pointwise.zero_shot import ZeroShot
from landbridge.errors import ConfigError
from landbridge.feed.rows import Coding, Rows
from landbridge.study.pointwise import Material, PointStudy, fitted_and_scored
from landbridge.study.protocol import ALL, Entry, Measured, Metric, Protocol, Scored, Trial

ZERO_SHOT = "zero_shot"


@dataclass
class LeftOutStudy(Protocol):
    """A study of the pooled contenders, and of `zero_shot`, on scenarios that they have no row of."""

    config: Config
    base: PointStudy
    measure: str = "auc"

    @classmethod
    def of(cls, base: PointStudy) -> LeftOutStudy:
        """Return the study of the task; the control is that of `study.left_out`.

        Raises
        ------
        ConfigError
            Fewer than three scenarios have rows: one is left out, and of the others each is a newcomer once.
        """
        known = pc.unique(base.examples.table["scenario"]).to_pylist()
        if len(known) < 3:
            raise ConfigError(
                f"study --left-out: {base.config.name} has the scenarios {', '.join(sorted(known))}; it takes three, "
                "one that is left out and two that tell of it"
            )
        given = base.config.study
        left_out = given.left_out
        study = given.model_copy(update={"control": left_out.control, "contenders": left_out.contenders})
        return cls(base.config.model_copy(update={"study": study}), base)

    @property
    def parts(self) -> Sequence[str]:
        """Those of the task."""
        return self.base.parts

    def entries(self) -> Sequence[Entry]:
        """The contenders of the task that are fitted once for all scenarios, and the one that is made for this."""
        pooled = [Entry(one.name, True, one.seeded) for one in self.base.contenders.values() if _serves(one)]
        return [*pooled, Entry(ZERO_SHOT, ZeroShot.crosses, ZeroShot.seeded)]

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return the contender's own fingerprint; that of `zero_shot` holds its settings too."""
        if trial.contender != ZERO_SHOT:
            return self.base.fingerprint(trial)
        whole = self.base.assembled(self.base.examples.table[:0], None, self.base.examples.table[:0])
        contender = self.zero_shot("", whole.rows)
        return {**self.base.depends(contender), "sharpness": f"{contender.sharpness:g}"}

    def run(self, trial: Trial) -> Scored:
        """Fit once a scenario on the others' rows; score its judged rows."""
        judged = self.base.tables(trial.part, holds_out=False)[2]
        parts = [self._scored(name, trial) for name in sorted(pc.unique(judged["scenario"]).to_pylist())]
        return Scored.of(parts)

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return AUC by scenario; there is none of all, because each was scored by another fit."""
        return {name: one for name, one in self.base.measured(rows).items() if name != ALL}

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return what the task measures, by scenario."""
        return [one for one in self.base.metrics(rows) if one.scenario != ALL]

    def material(self, part: str, holds_out: bool, scenario: str) -> Material:
        """Return the training and held-out rows of the other scenarios, and the judged rows of this one."""
        train, held_out, judged = self.base.tables(part, holds_out)
        held = None if held_out is None else _without(held_out, scenario)
        own = judged.filter(pc.equal(judged["scenario"], scenario))
        return self.base.assembled(_without(train, scenario), held, own)

    def _scored(self, scenario: str, trial: Trial) -> Scored:
        known = self.base.contenders.get(trial.contender)
        material = self.material(trial.part, known.holds_out if known else ZeroShot.holds_out, scenario)
        contender = known or self.zero_shot(scenario, catalogue_of(self.base.examples.table, material.rows.coding))
        return fitted_and_scored(self.config, contender, material, trial, validation=False)

    def zero_shot(self, newcomer: str, catalogue: Rows) -> ZeroShot:
        """Return the contender that is made for this."""
        given = self.config.pointwise
        assert given is not None
        return ZeroShot(newcomer, catalogue, given.contenders.memory, self.config.study.left_out.sharpness)


def catalogue_of(table: pa.Table, coding: Coding) -> Rows:
    """Return a row for each item of each scenario of examples, without user and answer."""
    cells = table.select(["scenario", "item_id"]).to_pandas()
    first = np.flatnonzero(~cells.duplicated().to_numpy())
    blank = table.take(pa.array(first))
    for name in ("user_id", "label", "value"):
        place = blank.schema.get_field_index(name)
        blank = blank.set_column(place, name, pa.nulls(blank.num_rows, blank.schema.field(place).type))
    return Rows.of(blank, coding)


def _serves(contender: PointContender) -> bool:
    return contender.pooled and contender.crosses


def _without(table: pa.Table, scenario: str) -> pa.Table:
    return table.filter(pc.not_equal(table["scenario"], scenario))
