"""How a ranker of pointwise rows is fitted: log loss by steps, the epoch chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.prepared import Prepared
from landbridge.errors import TrainError
from landbridge.models.initial import is_table
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.layers import Drop

BLOCK = 16384
"""Rows that are scored at once."""
FLOOR = 0.05
"""Where the rate ends, as a share of its top."""
TABLE_SHARE = 0.5
"""A continued table moves at this share of the rate, as in the strategy fine_tune of `transfer`."""
VALUE_WEIGHT = 0.3
"""Weight of the squared error of the graded answer beside the log loss."""


class Together(Protocol):
    """The processes that share a fit, as `train.ranks.Ranks` has them."""

    rank: int
    size: int

    def sum_(self, values: Tensor) -> Tensor:
        """Sum a flat tensor over all of them."""


class Alone:
    """One process."""

    rank, size = 0, 1

    def sum_(self, values: Tensor) -> Tensor:
        """Return the values: there is nothing to add."""
        return values


@dataclass(frozen=True)
class Answers:
    """What the heads are asked: the label, and the graded answer standardised; NaN where it is not known."""

    answer_NK: NDArray[np.float32]

    @classmethod
    def of(cls, prepared: Prepared, tasks: list[str]) -> Answers:
        """Return a column a task."""
        rows = prepared.rows
        value_N = rows.value_N.astype(np.float64)
        if not np.isnan(value_N).all():
            value_N = (value_N - np.nanmean(value_N)) / max(float(np.nanstd(value_N)), 1e-6)
        columns = {"label": rows.label_N.astype(np.float64), "value": value_N}
        return cls(np.stack([columns[task] for task in tasks], axis=1).astype(np.float32))


def fit_ranker(
    ranker: PointRanker,
    train: Prepared,
    held_out: Prepared | None,
    settings: RankerSettings,
    seed: int,
    continued: bool = False,
    ranks: Together | None = None,
) -> list[float]:
    """Fit in place and return the AUC on held-out rows after each epoch; the weights of its best epoch stay.

    Losses are summed over all ranks before the step, so that the gradient does not depend on how rows lie on ranks.
    Where nothing is held out, or only one answer, the last epoch stays.
    """
    ranks = ranks or Alone()
    rate = settings.learning_rate * (settings.fine_tune_rate if continued else 1.0)
    optimizer = torch.optim.AdamW(_groups(ranker, rate, settings, continued), fused=True)
    top = [group["lr"] for group in optimizer.param_groups]
    answers = Answers.of(train, list(settings.tasks)).answer_NK
    steps = -(-len(train) // settings.batch)
    drop = Drop(settings.dropout, torch.Generator().manual_seed(seed + ranks.rank))
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
            _step(ranker, train, answers, mine, drop, optimizer, ranks)
        if judged and held_out is not None:
            found.append(float(roc_auc_score(held_out.rows.label_N, probabilities(ranker, held_out))))
            if found[-1] == max(found):
                best = {name: value.detach().clone() for name, value in ranker.state_dict().items()}
            elif found[-1] < max(found[:-1]) and len(found) - 1 - int(np.argmax(found)) >= 2:
                break
    if best:
        ranker.load_state_dict(best)
    ranker.eval()
    return found


@torch.no_grad()
def probabilities(ranker: PointRanker, prepared: Prepared) -> NDArray[np.float32]:
    """Return the probability of the label of every row."""
    ranker.eval()
    blocks = [np.arange(at, min(at + BLOCK, len(prepared))) for at in range(0, len(prepared), BLOCK)]
    parts = [torch.sigmoid(ranker(prepared.batch(block))[:, 0].double()).numpy() for block in blocks]
    found: NDArray[np.float32] = np.concatenate([np.zeros(0), *parts]).astype(np.float32)
    return found


def _step(
    ranker: PointRanker,
    train: Prepared,
    answers_NK: NDArray[np.float32],
    mine: NDArray[Any],
    drop: Drop,
    optimizer: torch.optim.Optimizer,
    ranks: Together,
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss = torch.zeros(())
    if len(mine):
        loss = _loss(ranker(train.batch(mine), drop), torch.from_numpy(answers_NK[mine]))
        loss.backward()  # type: ignore[no-untyped-call]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    told = torch.tensor([float(loss.detach()), float(len(mine))])
    flat = ranks.sum_(torch.cat([*(gradient.reshape(-1) for gradient in gradients), told]))
    if not bool(torch.isfinite(flat).all()):
        raise TrainError(
            f"the loss or the gradient of {ranker.kind} is not finite (loss {float(flat[-2])}); nothing was updated. "
            "Lower learning_rate in pointwise.contenders.networks, or look for infinite values in the numbers"
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
