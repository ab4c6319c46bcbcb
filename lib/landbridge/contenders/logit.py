"""Weights of scores by the conditional logit (McFadden 1974): what users chose, against all that they could choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray


@dataclass(frozen=True)
class Choices:
    """What B users chose out of C items of one scenario.

    Attributes
    ----------
    parts_PBC
        float32, what each part says of each item.
    open_BC
        What could be chosen: what the user did not have.
    chosen_BC
        What he chose of it; at least one item each.
    """

    parts_PBC: NDArray[np.float32]
    open_BC: NDArray[np.bool_]
    chosen_BC: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of users B."""
        return len(self.open_BC)


def fit_weights(choices: Sequence[Choices], given_P: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Return the weights w that minimise the users' log loss + prior / 2 * |w - given|^2.

    A user's log loss is the mean over his choices of -log softmax(sum_p w_p parts_p) over what was open to him. It is
    convex, so the minimum is one; without choices it is what was given.
    """
    if not choices:
        return given_P.copy()

    def loss(weights_P: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        off_P = weights_P - given_P
        value, slope_P = 0.5 * prior * float(off_P @ off_P), prior * off_P
        for some in choices:
            one, slope = log_loss(some, weights_P)
            value, slope_P = value + one, slope_P + slope
        return value, slope_P

    found = scipy.optimize.minimize(loss, given_P, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    weights: NDArray[np.float64] = found.x
    return weights


def log_loss(choices: Choices, weights_P: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the sum over users of their log loss, and its derivative by the weights."""
    scores_BC = np.tensordot(weights_P.astype(np.float32), choices.parts_PBC, axes=1)
    scores_BC[~choices.open_BC] = -np.inf
    scores_BC -= scores_BC.max(axis=1, keepdims=True)
    chance_BC = np.exp(scores_BC)
    total_B1 = chance_BC.sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    chance_BC /= total_B1
    share_BC = choices.chosen_BC / choices.chosen_BC.sum(axis=1, keepdims=True, dtype=np.float32)
    of_chosen = np.where(choices.chosen_BC, scores_BC - np.log(total_B1), np.float32(0))
    value = -float(np.einsum("bc,bc->", share_BC, of_chosen, dtype=np.float64))
    chance_BC -= share_BC
    slope_P = np.array([float(np.vdot(part_BC, chance_BC)) for part_BC in choices.parts_PBC])
    return value, slope_P
