"""How a ranker of pointwise rows is fitted: log loss by steps, the epoch chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.rankers import RankerSettings, Sparsity
from landbridge.contenders.pointwise.prepared import Prepared
from landbridge.contenders.pointwise.shared_auc import shared_auc
from landbridge.errors import TrainError
from landbridge.models.contrast import Contrast
from landbridge.models.initial import is_table
from landbridge.models.losses import sparsity
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.history import histories_of, some_questions_viewed
from landbridge.models.rankers.layers import Drop
from landbridge.models.together import Alone, Together

BLOCK = 16384
"""Rows that are scored at once."""
FLOOR = 0.05
"""Where the rate ends, as a share of its top."""
TABLE_SHARE = 0.5
"""A continued table moves at this share of the rate, as in the strategy fine_tune of `transfer`."""
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


@dataclass(frozen=True)
class Objective:
    """What a ranker is asked to make small; `contrast` tells two views of a row's past from those of other rows."""

    ranker: PointRanker
    train: Prepared
    answer_NK: NDArray[np.float32]
    drop: Drop
    contrast: Contrast
    sparsity: Sparsity
    seed: int

    def loss(self, mine: NDArray[Any], epoch: int, step: int) -> Tensor:
        """Return the sum over this rank's rows; with a contrast all ranks have to ask, also those without rows."""
        loss, augment = torch.zeros(()), self.contrast.augment
        if not len(mine) and self.contrast.weight == 0.0:
            return loss
        questions = self.train.batch(mine)
        if len(mine):
            viewed = some_questions_viewed(questions, augment, self.seed, epoch)
            logit_BK, pruned_BL = self.ranker.judged(viewed, self.drop)
            loss = _loss(logit_BK, torch.from_numpy(self.answer_NK[mine]))
            if pruned_BL is not None:
                loss = loss + self.sparsity.weight * sparsity(pruned_BL, self.sparsity.low, self.sparsity.high).sum()
        if self.contrast.weight > 0.0:
            histories, weight_B = histories_of(questions), torch.ones(len(mine))
            loss = loss + self.contrast.loss(self.ranker, histories, weight_B, self.seed, epoch, step)
        return loss


def fit_ranker(
    ranker: PointRanker,
    train: Prepared,
    held_out: Prepared | None,
    settings: RankerSettings,
    seed: int,
    continued: bool = False,
    ranks: Together | None = None,
    target_N: NDArray[np.float32] | None = None,
) -> list[float]:
    """Fit in place and return the AUC on held-out rows after each epoch; the weights of its best epoch stay.

    Losses are summed over all ranks before the step, so that the gradient does not depend on how rows lie on ranks.
    Where nothing is held out, or only one answer, the last epoch stays. `target_N` are probabilities of the training
    rows that are learned in the place of their labels.
    """
    ranks = ranks or Alone()
    rate = settings.learning_rate * (settings.fine_tune_rate if continued else 1.0)
    optimizer = torch.optim.AdamW(_groups(ranker, rate, settings, continued), fused=True)
    top = [group["lr"] for group in optimizer.param_groups]
    steps = -(-len(train) // settings.batch)
    drop = Drop(settings.dropout, torch.Generator().manual_seed(seed + ranks.rank))
    objective = Objective(
        ranker,
        train,
        Answers.of(train, list(settings.tasks), target_N).answer_NK,
        drop,
        Contrast(settings.augment, settings.contrastive, ranks),
        settings.sparsity,
        seed,
    )
    judged = held_out is not None and 0.0 < float(held_out.rows.label_N.mean() if len(held_out) else 0.0) < 1.0
    found: list[float] = []
    best: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(train))
        ranker.train()
        for step in range(steps):
            share = 1.0 - (1.0 - FLOOR) * (epoch * steps + step) / (settings.epochs * steps)
            for group, lr in zip(optimizer.param_groups, top, strict=True):
                group["lr"] = lr * share
            mine = order[step * settings.batch : (step + 1) * settings.batch][ranks.rank :: ranks.size]
            _step(objective, mine, epoch, step, optimizer, ranks)
        if judged and held_out is not None:
            found.append(_heldout_auc(ranker, held_out, ranks))
            if found[-1] == max(found):
                best = {name: value.detach().clone() for name, value in ranker.state_dict().items()}
            elif found[-1] < max(found[:-1]) and len(found) - 1 - int(np.argmax(found)) >= 2:
                break
    if best:
        ranker.load_state_dict(best)
    ranker.eval()
    return found


@torch.no_grad()
def probabilities(
    ranker: PointRanker, prepared: Prepared, some: NDArray[Any] | slice = slice(None)
) -> NDArray[np.float32]:
    """Return the probability of the label of every row, or of some."""
    ranker.eval()
    index_N = np.arange(len(prepared))[some]
    blocks = [index_N[at : at + BLOCK] for at in range(0, len(index_N), BLOCK)]
    parts = [torch.sigmoid(ranker(prepared.batch(block))[:, 0].double()).numpy() for block in blocks]
    found: NDArray[np.float32] = np.concatenate([np.zeros(0), *parts]).astype(np.float32)
    return found


def _heldout_auc(ranker: PointRanker, held_out: Prepared, ranks: Together) -> float:
    """Each rank scores its share of the held-out rows; the AUC is that of all of them, the same on each rank."""
    mine = slice(ranks.rank, None, ranks.size)
    return shared_auc(probabilities(ranker, held_out, mine), held_out.rows.label_N[mine], ranks)


def _step(
    objective: Objective,
    mine: NDArray[Any],
    epoch: int,
    step: int,
    optimizer: torch.optim.Optimizer,
    ranks: Together,
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss = objective.loss(mine, epoch, step)
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    told = torch.tensor([float(loss.detach()), float(len(mine))])
    flat = ranks.sum_(torch.cat([*(gradient.reshape(-1) for gradient in gradients), told]))
    if not bool(torch.isfinite(flat).all()):
        raise TrainError(
            f"the loss or the gradient of {objective.ranker.kind} is not finite (loss {float(flat[-2])}); nothing was "
            "updated. Lower learning_rate in pointwise.contenders.networks, or look for infinite values in the numbers"
        )
    flat /= flat[-1].clone()
    at = 0
    for weight in weights:
        weight.grad = flat[at : at + weight.numel()].view_as(weight)
        at += weight.numel()
    optimizer.step()


def _loss(logit_BK: Tensor, answer_BK: Tensor) -> Tensor:
    """Sum of the log loss of the first task, and of the others' squared errors where they are known."""
    known_BK = ~torch.isnan(answer_BK)
    answer_BK = torch.where(known_BK, answer_BK, 0.0)
    loss = F.binary_cross_entropy_with_logits(logit_BK[:, 0], answer_BK[:, 0], reduction="sum")
    error_BK = (logit_BK[:, 1:] - answer_BK[:, 1:]) ** 2 * known_BK[:, 1:]
    return loss + VALUE_WEIGHT * error_BK.sum()


def _groups(ranker: PointRanker, rate: float, settings: RankerSettings, continued: bool) -> list[dict[str, Any]]:
    """Embedding tables, and all other weights; what is continued moves its tables slower."""
    named = list(ranker.named_parameters())
    tables = [weight for name, weight in named if is_table(name)]
    others = [weight for name, weight in named if not is_table(name)]
    share = TABLE_SHARE if continued else 1.0
    return [
        {"params": tables, "lr": rate * share, "weight_decay": settings.weight_decay},
        {"params": others, "lr": rate, "weight_decay": settings.weight_decay},
    ]
