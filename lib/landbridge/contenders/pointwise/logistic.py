"""Logistic regression (scikit-learn), on one scenario alone or on all with the scenario as a feature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from landbridge.config import pointwise as settings_of
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.features import Scaler, categories, category_sizes, one_hot
from landbridge.feed.rows import Rows


@dataclass(frozen=True)
class LogisticFitted(PointFitted):
    """Weights of the scaled numbers, of each id of each category, and of the scenario's id.

    Attributes
    ----------
    number_F, category_V
        Weights; the ids of the categories side by side, the scenario's last, `sizes_C` of them.
    """

    kind: ClassVar[str] = "logistic"

    scaler: Scaler
    sizes_C: NDArray[np.int64]
    number_F: NDArray[np.float64]
    category_V: NDArray[np.float64]
    bias: float

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N; an id that training lacked counts as missing."""
        hot_NV = one_hot(categories(rows, with_scenario=True), self.sizes_C)
        logit_N = self.scaler.transform(rows.number_NF) @ self.number_F + hot_NV @ self.category_V + self.bias
        probability: NDArray[np.float32] = expit(logit_N).astype(np.float32)
        return probability

    def save(self, folder: Path) -> None:
        """Write logistic.npz."""
        np.savez(
            folder / "logistic.npz",
            mean_F=self.scaler.mean_F,
            scale_F=self.scaler.scale_F,
            sizes_C=self.sizes_C,
            number_F=self.number_F,
            category_V=self.category_V,
            bias=np.array(self.bias),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / "logistic.npz", allow_pickle=False) as saved:
            scaler = Scaler(saved["mean_F"], saved["scale_F"])
            return cls(scaler, saved["sizes_C"], saved["number_F"], saved["category_V"], float(saved["bias"]))


@dataclass(frozen=True)
class Logistic(PointContender):
    """Fits on the scope's rows, or `crosses` on all rows."""

    settings: settings_of.Logistic
    crosses: bool = False
    sections = ("pointwise.contenders.logistic",)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return "logistic_joint" if self.crosses else "logistic"

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """On all rows one fit serves all scenarios."""
        return self.crosses

    def left_out(self, view: PointView) -> str | None:
        """Return why not: two kinds of answers are needed."""
        own = view.own(view.rows)
        return None if len(np.unique(own.label_N)) == 2 else f"{view.scope}: all {len(own)} training rows answer alike"

    def fit(self, view: PointView) -> LogisticFitted:
        """Fit by L-BFGS."""
        from sklearn.linear_model import LogisticRegression

        rows = view.own(view.rows)
        scaler, sizes_C = Scaler.fit(rows.number_NF), category_sizes(rows.coding, with_scenario=True)
        parts = [sparse.csr_matrix(scaler.transform(rows.number_NF)), one_hot(categories(rows, True), sizes_C)]
        model = LogisticRegression(C=self.settings.inverse_penalty, max_iter=self.settings.iterations)
        model.fit(sparse.hstack(parts, format="csr"), rows.label_N.astype(np.int8))
        weights, count = model.coef_[0], rows.number_NF.shape[1]
        return LogisticFitted(scaler, sizes_C, weights[:count], weights[count:], float(model.intercept_[0]))


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module: alone, and on all scenarios."""
    assert config.pointwise is not None
    given = config.pointwise.contenders.logistic
    return [Logistic(given), Logistic(given, crosses=True)]
