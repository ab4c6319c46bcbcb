"""The constant: the share of positives among the scenario's training rows. What everything has to beat."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.feed.rows import Rows


@dataclass(frozen=True)
class ConstantFitted(PointFitted):
    """One probability for every row."""

    kind: ClassVar[str] = "constant"

    share: float

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the share of positives, shape N."""
        return np.full(len(rows), self.share, np.float32)

    def save(self, folder: Path) -> None:
        """Write constant.json."""
        (folder / "constant.json").write_text(json.dumps({"share": self.share}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(float(json.loads((folder / "constant.json").read_text(encoding="utf-8"))["share"]))


@dataclass(frozen=True)
class Constant(PointContender):
    """The mean of the label in the scope, moved by half a row of each kind, so that it is neither 0 nor 1."""

    name = "constant"
    crosses = False
    sections = ()

    def fit(self, view: PointView) -> ConstantFitted:
        """Count."""
        label_N = view.own(view.rows).label_N
        return ConstantFitted(float((label_N.sum(dtype=np.float64) + 0.5) / (len(label_N) + 1.0)))


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module."""
    return [Constant()]
