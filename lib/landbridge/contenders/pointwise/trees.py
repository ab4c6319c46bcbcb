"""Gradient-boosted trees (LightGBM, Ke et al. 2017): alone, joint, and partial pooling, which is a mean of both.

With a few hundred rows a scenario neither all nor nothing is right: trees on all scenarios see more rows and forget
that a scenario has habits of its own; the mean of both probabilities is the simplest shrinkage of one to the other.
Where scenarios are alike the joint trees deserve more: `trees_weighted` learns the weights from the training rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.pointwise import Trees as Settings
from landbridge.config.schema import Config
from landbridge.contenders.boosted import missing, predicted
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.features import categories
from landbridge.feed.hashing import hash_strings
from landbridge.feed.rows import Rows

_WEIGHTS = np.linspace(0.0, 1.0, 11)
_SMALL = 1e-7


@dataclass(frozen=True)
class TreesFitted(PointFitted):
    """Trees in LightGBM's text: of all scenarios, of single ones by their ids, and by these the weights of the former.

    A scenario without trees of its own has those of all, and where there are none either, `share`.
    """

    kind: ClassVar[str] = "trees"

    joint: str | None
    alone: Mapping[int, str]
    weight: Mapping[int, float]
    share: float

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        table_NF = _table(rows)
        both_N = np.full(len(rows), self.share) if self.joint is None else predicted(self.joint, table_NF)
        for scenario, text in self.alone.items():
            own_N = rows.scenario_N == scenario
            if own_N.any():
                weight = self.weight[scenario]
                both_N[own_N] = weight * both_N[own_N] + (1 - weight) * predicted(text, table_NF[own_N])
        return both_N.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the models' texts and trees.json."""
        if self.joint is not None:
            (folder / "joint.txt").write_text(self.joint, encoding="utf-8")
        for scenario, text in self.alone.items():
            (folder / f"alone_{scenario}.txt").write_text(text, encoding="utf-8")
        facts = {"weight": dict(self.weight), "share": self.share}
        (folder / "trees.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "trees.json").read_text(encoding="utf-8"))
        files = sorted(folder.glob("alone_*.txt"))
        alone = {int(file.stem.removeprefix("alone_")): file.read_text(encoding="utf-8") for file in files}
        joint = folder / "joint.txt"
        text = joint.read_text(encoding="utf-8") if joint.exists() else None
        weight = {int(scenario): float(value) for scenario, value in facts["weight"].items()}
        return cls(text, alone, weight, float(facts["share"]))


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
            return TreesFitted(text, {}, {}, share)
        own = rows.coding.scenario(view.scope)
        return TreesFitted(None, {own: text}, {own: 0.0}, share)


@dataclass(frozen=True)
class PooledTrees(PointContender):
    """Partial pooling: w of the joint trees and 1 - w of the scenario's own.

    w is given and in all scenarios the same or, where `chooses`, learned out of fold on the training rows (stacking,
    Breiman 1996; the folds are of users): a scenario's w has the smallest sum of the log loss of its n rows and that of
    all scenarios' rows, the latter counting as `weight_rows` rows. So a small scenario's w is almost that of all.
    """

    settings: Settings
    chooses: bool = False
    crosses = True
    pooled = True
    sections = ("pointwise.contenders.trees",)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return "trees_weighted" if self.chooses else "trees_pooling"

    def left_out(self, view: PointView) -> str | None:
        """Return why not: as for the trees."""
        return _left_out(view)

    def fit(self, view: PointView) -> TreesFitted:
        """Choose the weights, then fit both on all rows."""
        joint, alone = self._both(view.rows)
        weight = self._chosen(view.rows) if self.chooses else dict.fromkeys(alone, self.settings.pooling)
        return TreesFitted(joint, alone, {scenario: weight[scenario] for scenario in alone}, _share(view.rows))

    def _both(self, rows: Rows) -> tuple[str, dict[int, str]]:
        own = {rows.coding.scenario(name): rows.of_scenario(name) for name in rows.scenarios}
        return _boost(rows, self.settings), {code: _boost(some, self.settings) for code, some in own.items()}

    def _chosen(self, rows: Rows) -> dict[int, float]:
        """Return the weight of every scenario, the middle one of equals."""
        size = rows.coding.size("scenario")
        fold_N = hash_strings(rows.cluster_N) % np.uint64(self.settings.weight_folds)
        loss_SW = np.zeros((size, len(_WEIGHTS)))
        for fold in range(self.settings.weight_folds):
            rest, judged = rows.take(fold_N != fold), rows.take(fold_N == fold)
            if len(rest) and len(judged):
                loss_SW += _losses(*self._both(rest), judged, _share(rest))
        loss_SW += loss_SW.sum(axis=0) * (self.settings.weight_rows / max(len(rows), 1))
        return {scenario: _lowest(loss_W) for scenario, loss_W in enumerate(loss_SW)}


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module."""
    assert config.pointwise is not None
    given = config.pointwise.contenders.trees
    return [Trees(given), Trees(given, crosses=True), PooledTrees(given), PooledTrees(given, chooses=True)]


def _left_out(view: PointView) -> str | None:
    without = missing()
    if without is not None:
        return without
    if not len(view.own(view.rows)):
        return f"{view.scope}: there are no training rows"
    if not view.rows.coding.numbers and not view.rows.coding.categories:
        return "the task has neither numbers nor categories to split by"
    return None


def _losses(joint: str, alone: Mapping[int, str], rows: Rows, share: float) -> NDArray[np.float64]:
    """Return the summed log loss of every scenario's rows by every weight, [scenarios, W]."""
    size = rows.coding.size("scenario")
    one_N = TreesFitted(joint, {}, {}, share).probability(rows).astype(np.float64)
    other_N = TreesFitted(joint, alone, dict.fromkeys(alone, 0.0), share).probability(rows).astype(np.float64)
    # A weight at a time: with all of them at once a large set would need eleven times its rows.
    mixed = (np.clip(weight * one_N + (1 - weight) * other_N, _SMALL, 1 - _SMALL) for weight in _WEIGHTS)
    losses = (-np.where(rows.label_N > 0, np.log(mix), np.log1p(-mix)) for mix in mixed)
    return np.stack([np.bincount(rows.scenario_N, loss_N, size) for loss_N in losses], axis=1)


def _lowest(loss_W: NDArray[np.float64]) -> float:
    best = np.flatnonzero(loss_W <= loss_W.min() + 1e-9)
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
