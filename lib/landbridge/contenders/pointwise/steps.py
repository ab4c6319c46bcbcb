"""How a ranker of pointwise rows is fitted: log loss by steps, the epoch chosen on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.objective import Answers, Labels, Objective
from landbridge.contenders.pointwise.prepared import Prepared
from landbridge.contenders.pointwise.shared_auc import shared_auc
from landbridge.errors import TrainError
from landbridge.models.initial import is_table
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.frozen import keeping
from landbridge.models.rankers.layers import Drop
from landbridge.models.together import Alone, Together

BLOCK = 16384
"""Rows that are scored at once."""
FLOOR = 0.05
"""Where the rate ends, as a share of its top."""
TABLE_SHARE = 0.5
"""A continued table moves at this share of the rate, as in the strategy fine_tune of `transfer`."""


def fit_ranker(
    ranker: PointRanker,
    train: Prepared,
    held_out: Prepared | None,
    settings: RankerSettings,
    seed: int,
    continued: bool = False,
    ranks: Together | None = None,
    target_N: NDArray[np.float32] | None = None,
    around: Callable[[Labels], Objective] | None = None,
) -> list[float]:
    """Fit in place and return the AUC on held-out rows after each epoch; the weights of its best epoch stay.

    Losses are summed over all ranks before the step, so that the gradient does not depend on how rows lie on ranks.
    Where nothing is held out, or only one answer, the last epoch stays. `target_N` are probabilities of the training
    rows that are learned in the place of their labels; `around` makes another objective of the rows' answers.
    """
    ranks = ranks or Alone()
    rate = settings.learning_rate * (settings.fine_tune_rate if continued else 1.0)
    optimizer = torch.optim.AdamW(_groups(ranker, rate, settings, continued), fused=True)
    put_back = keeping(ranker)
    optimizer.register_step_post_hook(lambda *_: put_back())
    top = [group["lr"] for group in optimizer.param_groups]
    drop = Drop(settings.dropout, torch.Generator().manual_seed(seed + ranks.rank))
    answers = Answers.of(train, list(settings.tasks), target_N)
    labels = Labels(ranker, train, answers.answer_NK, settings, drop, seed, ranks)
    objective = labels if around is None else around(labels)
    steps = objective.steps
    judged = held_out is not None and 0.0 < float(held_out.rows.label_N.mean() if len(held_out) else 0.0) < 1.0
    found: list[float] = []
    best: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        ranker.train()
        for step, batch in enumerate(objective.batches(epoch)):
            share = 1.0 - (1.0 - FLOOR) * (epoch * steps + step) / (settings.epochs * steps)
            for group, lr in zip(optimizer.param_groups, top, strict=True):
                group["lr"] = lr * share
            _step(objective, batch, epoch, step, optimizer, ranks)
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
    batch: Any,
    epoch: int,
    step: int,
    optimizer: torch.optim.Optimizer,
    ranks: Together,
) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss, weight = objective.loss(batch, epoch, step)
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    values = [value for group in optimizer.param_groups for value in group["params"]]
    gradients = [torch.zeros_like(value) if value.grad is None else value.grad for value in values]
    told = torch.tensor([float(loss.detach()), weight])
    flat = ranks.sum_(torch.cat([*(gradient.reshape(-1) for gradient in gradients), told]))
    if not bool(torch.isfinite(flat).all()):
        raise TrainError(
            f"the loss or the gradient of {objective.ranker.kind} is not finite (loss {float(flat[-2])}); nothing was "
            "updated. Lower learning_rate in pointwise.contenders.networks, or look for infinite values in the numbers"
        )
    flat /= flat[-1].clone()
    at = 0
    for value in values:
        value.grad = flat[at : at + value.numel()].view_as(value)
        at += value.numel()
    optimizer.step()


def _groups(ranker: PointRanker, rate: float, settings: RankerSettings, continued: bool) -> list[dict[str, Any]]:
    """Embedding tables, and all other weights; what is continued moves its tables slower."""
    named = [(name, weight) for name, weight in ranker.named_parameters() if weight.requires_grad]
    tables = [weight for name, weight in named if is_table(name)]
    others = [weight for name, weight in named if not is_table(name)]
    share = TABLE_SHARE if continued else 1.0
    return [
        {"params": tables, "lr": rate * share, "weight_decay": settings.weight_decay},
        {"params": others, "lr": rate, "weight_decay": settings.weight_decay},
    ]
