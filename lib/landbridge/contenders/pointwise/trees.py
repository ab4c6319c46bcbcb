"""Gradient-boosted trees (LightGBM, Ke et al. 2017): alone, joint, and partial pooling, which is a mean of both.

With a few hundred rows a scenario neither all nor nothing is right: trees on all scenarios see more rows and forget
that a scenario has habits of its own; the mean of both probabilities is the simplest shrinkage of one to the other.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.pointwise import Trees as Settings
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.features import categories
from landbridge.feed.rows import Rows

_WEIGHTS = np.linspace(0.0, 1.0, 11)
_SMALL = 1e-7


@dataclass(frozen=True)
class TreesFitted(PointFitted):
    """Trees in LightGBM's text: of all scenarios, of single ones by their ids, and the weight of the former.

    A scenario without trees of its own has those of all, and where there are none either, `share`.
    """

    kind: ClassVar[str] = "trees"

    joint: str | None
    alone: Mapping[int, str]
    weight: float
    share: float

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        table_NF = _table(rows)
        both_N = np.full(len(rows), self.share) if self.joint is None else _predict(self.joint, table_NF)
        for scenario, text in self.alone.items():
            own_N = rows.scenario_N == scenario
            if own_N.any():
                own = _predict(text, table_NF[own_N])
                both_N[own_N] = own if self.joint is None else self.weight * both_N[own_N] + (1 - self.weight) * own
        return both_N.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the models' texts and trees.json."""
        if self.joint is not None:
            (folder / "joint.txt").write_text(self.joint, encoding="utf-8")
        for scenario, text in self.alone.items():
            (folder / f"alone_{scenario}.txt").write_text(text, encoding="utf-8")
        facts = {"weight": self.weight, "share": self.share}
        (folder / "trees.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "trees.json").read_text(encoding="utf-8"))
        files = sorted(folder.glob("alone_*.txt"))
        alone = {int(file.stem.removeprefix("alone_")): file.read_text(encoding="utf-8") for file in files}
        joint = folder / "joint.txt"
        text = joint.read_text(encoding="utf-8") if joint.exists() else None
        return cls(text, alone, float(facts["weight"]), float(facts["share"]))


@dataclass(frozen=True)
class Trees(PointContender):
    """Trees on the scope's rows, or `crosses` on all rows with the scenario as a feature."""

    settings: Settings
    crosses: bool = False
    sections = ("pointwise.contenders.trees",)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return "trees_joint" if self.crosses else "trees"

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """On all rows one fit serves all scenarios."""
        return self.crosses

    def left_out(self, view: PointView) -> str | None:
        """Return why not: no LightGBM, or nothing to split by."""
        return _left_out(view)

    def fit(self, view: PointView) -> TreesFitted:
        """Fit on the rows."""
        rows = view.own(view.rows)
        text, share = _boost(rows, self.settings), _share(rows)
        if self.crosses:
            return TreesFitted(text, {}, 1.0, share)
        return TreesFitted(None, {rows.coding.scenario(view.scope): text}, 0.0, share)


@dataclass(frozen=True)
class PooledTrees(PointContender):
    """Partial pooling: w of the joint trees and 1 - w of the scenario's own, in all scenarios the same w."""

    settings: Settings
    name = "trees_pooling"
    crosses = True
    pooled = True
    sections = ("pointwise.contenders.trees",)

    @property
    def holds_out(self) -> bool:  # type: ignore[override]
        """The weight is chosen on held-out rows unless it is given."""
        return self.settings.pooling is None

    def left_out(self, view: PointView) -> str | None:
        """Return why not: as for the trees, or no rows to choose the weight on."""
        if self.settings.pooling is None and (view.held_out is None or not len(view.held_out)):
            return "there are no held-out rows to choose pointwise.contenders.trees.pooling on; give it a number"
        return _left_out(view)

    def fit(self, view: PointView) -> TreesFitted:
        """Fit both, then choose the weight."""
        rows = view.rows
        joint = _boost(rows, self.settings)
        alone = {rows.coding.scenario(name): _boost(rows.of_scenario(name), self.settings) for name in rows.scenarios}
        if self.settings.pooling is not None:
            return TreesFitted(joint, alone, self.settings.pooling, _share(rows))
        assert view.held_out is not None
        weight = _best_weight(joint, alone, view.held_out, _share(rows))
        return TreesFitted(joint, alone, weight, _share(rows))


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module."""
    assert config.pointwise is not None
    given = config.pointwise.contenders.trees
    return [Trees(given), Trees(given, crosses=True), PooledTrees(given)]


def _left_out(view: PointView) -> str | None:
    if importlib.util.find_spec("lightgbm") is None:
        return "LightGBM cannot be imported here; install lightgbm"
    if not len(view.own(view.rows)):
        return f"{view.scope}: there are no training rows"
    if not view.rows.coding.numbers and not view.rows.coding.categories:
        return "the task has neither numbers nor categories to split by"
    return None


def _best_weight(joint: str, alone: Mapping[int, str], held_out: Rows, share: float) -> float:
    """Return the weight with the smallest log loss on held-out rows, the middle one of equals."""
    one_N = TreesFitted(joint, {}, 1.0, share).probability(held_out).astype(np.float64)
    other_N = TreesFitted(joint, alone, 0.0, share).probability(held_out).astype(np.float64)
    mixed_WN = np.clip(_WEIGHTS[:, None] * one_N + (1 - _WEIGHTS[:, None]) * other_N, _SMALL, 1 - _SMALL)
    loss_W = -np.where(held_out.label_N > 0, np.log(mixed_WN), np.log1p(-mixed_WN)).mean(axis=1)
    best = np.flatnonzero(loss_W <= loss_W.min() + 1e-12)
    return float(_WEIGHTS[best[len(best) // 2]])


def _table(rows: Rows) -> NDArray[np.float32]:
    """Numbers, then categories and the scenario as ids: [N, F + C + 1]. Ids up to 2^24 are exact in float32."""
    return np.concatenate([rows.number_NF, categories(rows, with_scenario=True).astype(np.float32)], axis=1)


def _share(rows: Rows) -> float:
    return float(rows.label_N.mean()) if len(rows) else 0.5


def _boost(rows: Rows, given: Settings) -> str:
    """Return LightGBM's text of trees fitted on rows; the same text on any number of threads."""
    import lightgbm

    table_NF = _table(rows)
    numbers = rows.number_NF.shape[1]
    data = lightgbm.Dataset(
        table_NF,
        rows.label_N,
        categorical_feature=list(range(numbers, table_NF.shape[1])),
        params={"verbose": -1, "min_data_in_bin": 1, "feature_pre_filter": False},
        free_raw_data=True,
    )
    text: str = lightgbm.train(_params(given), data, given.iterations).model_to_string()
    return text


def _params(given: Settings) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": given.learning_rate,
        "num_leaves": given.leaves,
        "lambda_l2": given.l2,
        "min_data_in_leaf": given.min_rows,
        "min_data_per_group": given.min_rows,
        "cat_l2": given.category_l2,
        "cat_smooth": given.category_smoothing,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": 0,
    }


def _predict(text: str, table_NF: NDArray[np.float32]) -> NDArray[np.float64]:
    import lightgbm

    chance: NDArray[np.float64] = np.asarray(lightgbm.Booster(model_str=text).predict(table_NF), np.float64)
    return chance
