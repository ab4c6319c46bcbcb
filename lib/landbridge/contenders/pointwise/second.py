"""The second level of a blend: what the parts' features mean for the label."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from landbridge.config.neighbours import SecondTrees
from landbridge.contenders.boosted import predicted

_FILE = "second"


class Second(ABC):
    """A fitted second level."""

    @abstractmethod
    def probability(self, feature_NF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the label, shape N."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write a file named second."""


@dataclass(frozen=True)
class Linear(Second):
    """Logistic regression on standardised features; `weight_F` and `bias` are those of the features as they are."""

    weight_F: NDArray[np.float64]
    bias: float

    @classmethod
    def fit(cls, feature_NF: NDArray[np.float32], label_N: NDArray[np.float32]) -> Self:
        """Fit by L-BFGS; where all answer alike, their share."""
        if len(np.unique(label_N)) < 2:
            share = float(np.clip(label_N.mean() if len(label_N) else 0.5, 1e-3, 1 - 1e-3))
            return cls(np.zeros(feature_NF.shape[1]), float(np.log(share / (1 - share))))
        from sklearn.linear_model import LogisticRegression

        mean_F, spread_F = feature_NF.mean(axis=0, dtype=np.float64), feature_NF.std(axis=0, dtype=np.float64)
        scale_F = np.where(spread_F > 1e-9, spread_F, np.inf)
        model = LogisticRegression(max_iter=500).fit((feature_NF - mean_F) / scale_F, label_N > 0)
        weight_F = model.coef_[0] / scale_F
        return cls(weight_F, float(model.intercept_[0] - weight_F @ mean_F))

    def probability(self, feature_NF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the label, shape N."""
        chance: NDArray[np.float32] = expit(feature_NF @ self.weight_F + self.bias).astype(np.float32)
        return chance

    def save(self, folder: Path) -> None:
        """Write JSON."""
        text = json.dumps({"weight": self.weight_F.tolist(), "bias": self.bias})
        (folder / f"{_FILE}.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Boosted(Second):
    """Gradient-boosted trees, LightGBM's text."""

    text: str

    @classmethod
    def fit(
        cls,
        given: SecondTrees,
        feature_NF: NDArray[np.float32],
        label_N: NDArray[np.float32],
        held_out: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        seed: int,
    ) -> Self:
        """Fit; with held-out rows it stops where they stop to gain, without them after all iterations."""
        import lightgbm

        quiet = {"verbose": -1, "feature_pre_filter": False}
        data = lightgbm.Dataset(feature_NF, label_N, params=quiet)
        if held_out is None or not len(held_out[0]):
            return cls(lightgbm.train(_params(given, seed), data, given.iterations).model_to_string())
        valid = lightgbm.Dataset(held_out[0], held_out[1], reference=data, params=quiet)
        stop = lightgbm.early_stopping(given.patience, verbose=False)
        model = lightgbm.train(_params(given, seed), data, given.most_iterations, [valid], callbacks=[stop])
        return cls(model.model_to_string(num_iteration=max(model.best_iteration, 1)))

    def probability(self, feature_NF: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the label, shape N."""
        return predicted(self.text, feature_NF).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write LightGBM's text."""
        (folder / f"{_FILE}.txt").write_text(self.text, encoding="utf-8")


def load_second(folder: Path) -> Second:
    """Read what `save` wrote."""
    text = folder / f"{_FILE}.txt"
    if text.exists():
        return Boosted(text.read_text(encoding="utf-8"))
    tree = json.loads((folder / f"{_FILE}.json").read_text(encoding="utf-8"))
    return Linear(np.array(tree["weight"], np.float64), float(tree["bias"]))


def _params(given: SecondTrees, seed: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": given.learning_rate,
        "num_leaves": given.leaves,
        "min_data_in_leaf": given.min_rows,
        "lambda_l2": given.l2,
        "feature_fraction": given.features,
        "bagging_fraction": given.rows,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": seed,
    }
