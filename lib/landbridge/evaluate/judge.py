"""One contender judged on the units of one scenario and window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.contenders.base import Fitted
from landbridge.contenders.folder import blocks, select
from landbridge.evaluate.drawn import Drawn
from landbridge.evaluate.lists import coverage
from landbridge.evaluate.metrics import log_loss, ranking, ranking_names, unit_auc
from landbridge.evaluate.units import Units
from landbridge.feed.states import Catalogue, States

_TOGETHER = 128


@dataclass(frozen=True)
class Judged:
    """What a contender reached on B units; kept by unit, so that any grouping can be made of them."""

    scenario: str
    contender: str
    split: str
    window: int
    user_B: NDArray[np.int32]
    ranking_BM: NDArray[np.float64]
    """Columns as `ranking_names(evaluate.k)` says."""
    list_BN: NDArray[np.float64]
    """Columns as `lists.NAMES`, at the guard's k; NaN where not defined."""
    coverage: float
    """Share of the catalogue in the lists of all units, at the guard's k."""
    auc_B: NDArray[np.float64]
    """AUC of the unit's own items, NaN where not defined."""
    loss_B: NDArray[np.float64] | None
    """Summed log loss of the unit's items; None where the contender has no probability."""
    items_B: NDArray[np.int64]
    """Drawn items of the unit: what the log loss is divided by."""
    positive: tuple[NDArray[np.float32], NDArray[np.intp]]
    """Scores of all positives and the unit of each."""
    negative: tuple[NDArray[np.float32], NDArray[np.intp]]


@dataclass(frozen=True)
class _Block:
    ranking_BM: NDArray[np.float64]
    items_BK: NDArray[np.int32]
    scores_BK: NDArray[np.float32]
    probability_BK: NDArray[np.float32] | None


def judge(fitted: Fitted, contender: str, units: Units, drawn: Drawn, config: Config) -> Judged:
    """Rank the catalogue and score the drawn items for every unit, in blocks of users."""
    parts = [_block(fitted, units, rows, drawn, config) for rows in blocks(len(units))]
    scores_BK = np.concatenate([part.scores_BK for part in parts])
    probabilities = [part.probability_BK for part in parts if part.probability_BK is not None]
    items_BK = np.concatenate([part.items_BK for part in parts])[:, : config.guard.k]
    loss_B = None
    if probabilities:
        loss_B = log_loss(np.concatenate(probabilities), drawn.label_BK, drawn.valid_BK)
    positive_BK, negative_BK = drawn.label_BK & drawn.valid_BK, ~drawn.label_BK & drawn.valid_BK
    return Judged(
        units.scenario,
        contender,
        units.window.split,
        units.window.index,
        units.user_B,
        np.concatenate([part.ranking_BM for part in parts]),
        np.stack([units.known.novelty(items_BK), units.known.diversity(items_BK)], axis=1),
        coverage(items_BK, len(units.catalogue.items)),
        unit_auc(scores_BK, drawn.label_BK, drawn.valid_BK),
        loss_B,
        drawn.valid_BK.sum(axis=1),
        (scores_BK[positive_BK], np.nonzero(positive_BK)[0]),
        (scores_BK[negative_BK], np.nonzero(negative_BK)[0]),
    )


def _block(fitted: Fitted, units: Units, rows: NDArray[np.intp], drawn: Drawn, config: Config) -> _Block:
    states, index_BK = units.states.take(rows), drawn.index_BK[rows]
    scores_BC = fitted.score(states, units.catalogue)
    ks = config.evaluate.k
    items_BK, _ = select(fitted, states, units.catalogue, scores_BC, max(ks), config.recommend.pool)
    measured = [ranking(items_BK, units.truth[rows], k) for k in ks]
    columns = [measured[ks.index(k)][metric] for metric, k in ranking_names(ks)]
    scores_BK, probability_BK = _drawn(fitted, states, units.catalogue, scores_BC, index_BK, drawn.valid_BK[rows])
    return _Block(np.stack(columns, axis=1), items_BK, scores_BK, probability_BK)


def _drawn(
    fitted: Fitted,
    states: States,
    catalogue: Catalogue,
    scores_BC: NDArray[np.float32],
    index_BK: NDArray[np.intp],
    valid_BK: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return the scores BK by which the contender orders a list, and its probabilities if it has any.

    A second stage is dear, and a unit that took much makes padding for all others: so units of about as many drawn
    items are asked about together, without the padding.
    """
    scores_BK = np.zeros(index_BK.shape, np.float32)
    if scores_BC.shape[1]:
        scores_BK = np.take_along_axis(scores_BC, index_BK, axis=1)
    probability_BK: NDArray[np.float32] | None = None
    filled_B = valid_BK.sum(axis=1)
    for rows in np.array_split(np.argsort(filled_B, kind="stable"), -(-len(filled_B) // _TOGETHER)):
        width = int(filled_B[rows].max(initial=0))
        column_RK = np.argsort(~valid_BK[rows], axis=1, kind="stable")[:, :width]
        part, asked_RK = states.take(rows), np.take_along_axis(index_BK[rows], column_RK, axis=1)
        second_RK = fitted.rescore(part, catalogue, asked_RK)
        chance_RK = fitted.probability(part, catalogue, asked_RK)
        if second_RK is None and chance_RK is None:
            break
        if second_RK is not None:
            scores_BK[rows[:, None], column_RK] = second_RK
        if chance_RK is not None:
            probability_BK = np.zeros_like(scores_BK) if probability_BK is None else probability_BK
            probability_BK[rows[:, None], column_RK] = chance_RK
    return scores_BK, probability_BK
