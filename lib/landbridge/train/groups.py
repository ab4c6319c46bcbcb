"""The groups of users that the strategy graph reads: those that the step `group` found for the same fit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from landbridge.config.days import Fit
from landbridge.config.groups import Groups
from landbridge.feed.vocabulary import Vocabulary
from landbridge.lake.lake import Lake
from landbridge.models.interest import Flow
from landbridge.transfer import Crossing


@dataclass
class Grouping:
    """Finds the groups of the fits of a night, for a process of a job; the factors of a fit are read once."""

    lake: Lake
    vocabulary: Vocabulary
    ds: dt.date
    settings: Groups
    _factors: dict[Fit, torch.Tensor] = field(default_factory=dict)

    def flow(self, fit: Fit, crossing: Crossing) -> Flow:
        """Return the groups of source and target of a fit; none are there where the target has none."""
        count, factors = self.settings.count, self.settings.factors
        centre_GF, there_G = np.zeros((count, factors), np.float32), np.zeros(count, np.bool_)
        flow_GT = np.zeros((count, count), np.float32)
        source, target = (self._name(scenario) for scenario in (crossing.source, crossing.target))
        for row in self._rows("groups", fit, pc.field("scenario") == source):
            centre_GF[row["group"]], there_G[row["group"]] = row["centroid"], True
        rows = self._rows("group_flow", fit, (pc.field("source") == source) & (pc.field("target") == target))
        for row in rows:
            flow_GT[row["source_group"], row["target_group"]] = row["share"]
        return Flow(
            crossing.source,
            crossing.target,
            self._factors_of(fit),
            torch.from_numpy(centre_GF),
            torch.from_numpy(there_G & (flow_GT.sum(1) > 0)),
            torch.from_numpy(flow_GT),
        )

    def _factors_of(self, fit: Fit) -> torch.Tensor:
        """Return the factors of all item ids, [I, F]."""
        if fit not in self._factors:
            factor_IF = np.zeros((self.vocabulary.size("item_id"), self.settings.factors), np.float32)
            for batch in self.lake.scan("item_factors", columns=["item_id", "vector"], where=self._of(fit)):
                flat = batch["vector"].flatten().to_numpy(zero_copy_only=False)
                factor_IF[self.vocabulary.encode("item_id", batch["item_id"])] = flat.reshape(batch.num_rows, -1)
            factor_IF[0] = 0.0
            self._factors = {fit: torch.from_numpy(factor_IF)}
        return self._factors[fit]

    def _rows(self, name: str, fit: Fit, where: pc.Expression) -> list[dict[str, Any]]:
        """Return rows of groups, or of pairs of groups, of two scenarios: few, whatever the data."""
        return list(self.lake.read(name, where=self._of(fit) & where).to_pylist())

    def _of(self, fit: Fit) -> pc.Expression:
        return (pc.field("ds") == pa.scalar(self.ds)) & (pc.field("fit") == fit)

    def _name(self, scenario: int) -> str:
        return str(self.vocabulary.values("scenario")[scenario - 1].as_py())
