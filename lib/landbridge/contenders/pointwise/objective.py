"""What a ranker of rows is asked to make small, batch by batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.prepared import Prepared
from landbridge.models.contrast import Contrast
from landbridge.models.losses import sparsity
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.history import histories_of, some_questions_viewed
from landbridge.models.rankers.layers import Drop
from landbridge.models.together import Together

VALUE_WEIGHT = 0.3
"""Weight of the squared error of the graded answer beside the log loss."""


@dataclass(frozen=True)
class Answers:
    """What the heads are asked: the label, and the graded answer standardised; NaN where it is not known."""

    answer_NK: NDArray[np.float32]

    @classmethod
    def of(cls, prepared: Prepared, tasks: list[str], target_N: NDArray[np.float32] | None = None) -> Answers:
        """Return a column a task; `target_N` stands in the place of the label where it is given."""
        rows = prepared.rows
        label_N = rows.label_N if target_N is None else target_N
        value_N = rows.value_N.astype(np.float64)
        if not np.isnan(value_N).all():
            value_N = (value_N - np.nanmean(value_N)) / max(float(np.nanstd(value_N)), 1e-6)
        columns = {"label": label_N.astype(np.float64), "value": value_N}
        return cls(np.stack([columns[task] for task in tasks], axis=1).astype(np.float32))


class Objective(ABC):
    """A loss over batches; all ranks that share a fit ask for the same ones, and each answers for its part."""

    ranker: PointRanker

    @property
    @abstractmethod
    def steps(self) -> int:
        """Batches of an epoch."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Any]:
        """Yield the batches of an epoch."""

    @abstractmethod
    def loss(self, batch: Any, epoch: int, step: int) -> tuple[Tensor, float]:
        """Return the sum over this rank's part of the batch, and what that weighs."""


@dataclass(frozen=True)
class Labels(Objective):
    """The answers of rows; a batch is the index of its rows.

    Attributes
    ----------
    fold_N
        Rows of one fold come one after another in an epoch; None where rows have no folds.
    """

    ranker: PointRanker
    train: Prepared
    answer_NK: NDArray[np.float32]
    settings: RankerSettings
    drop: Drop
    seed: int
    ranks: Together
    fold_N: NDArray[np.int64] | None = None

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.train) // self.settings.batch)

    def batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """Yield all rows, in an order of the epoch."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train))
        if self.fold_N is not None:
            order = order[np.argsort(self.fold_N[order], kind="stable")]
        size = self.settings.batch
        yield from (order[step * size : (step + 1) * size] for step in range(self.steps))

    def by(self, fold_N: NDArray[np.int64]) -> Labels:
        """Return the same labels, the rows of one fold after those of another."""
        return replace(self, fold_N=fold_N)

    def mine(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this rank's rows of a batch."""
        return batch[self.ranks.rank :: self.ranks.size]

    def loss(self, batch: NDArray[np.int64], epoch: int, step: int) -> tuple[Tensor, float]:
        """Return the sum over this rank's rows; with a contrast all ranks have to ask, also those without rows."""
        mine, given = self.mine(batch), self.settings
        contrast = Contrast(given.augment, given.contrastive, self.ranks)
        loss = torch.zeros(())
        if not len(mine) and contrast.weight == 0.0:
            return loss, 0.0
        questions = self.train.batch(mine)
        if len(mine):
            viewed = some_questions_viewed(questions, given.augment, self.seed, epoch)
            logit_BK, pruned_BL = self.ranker.judged(viewed, self.drop)
            loss = _loss(logit_BK, torch.from_numpy(self.answer_NK[mine]))
            if pruned_BL is not None:
                wanted = given.sparsity
                loss = loss + wanted.weight * sparsity(pruned_BL, wanted.low, wanted.high).sum()
        if contrast.weight > 0.0:
            histories, weight_B = histories_of(questions), torch.ones(len(mine))
            loss = loss + contrast.loss(self.ranker, histories, weight_B, self.seed, epoch, step)
        return loss, float(len(mine))


def _loss(logit_BK: Tensor, answer_BK: Tensor) -> Tensor:
    """Sum of the log loss of the first task, and of the others' squared errors where they are known."""
    known_BK = ~torch.isnan(answer_BK)
    answer_BK = torch.where(known_BK, answer_BK, 0.0)
    loss = F.binary_cross_entropy_with_logits(logit_BK[:, 0], answer_BK[:, 0], reduction="sum")
    error_BK = (logit_BK[:, 1:] - answer_BK[:, 1:]) ** 2 * known_BK[:, 1:]
    return loss + VALUE_WEIGHT * error_BK.sum()
