"""Paired gains of targets: drawn over users, their variances, what they have in common. `guard` tells the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 4000
_CHUNK = 250
_PRIOR_USERS = 10.0


@dataclass(frozen=True)
class Trial:
    """What is known of a scenario: its units on all validation windows, and what each contender reached on each."""

    scenario: str
    user_N: NDArray[np.int32]
    windows: int
    values: Mapping[str, NDArray[np.float64]]
    """The metric of every contender that can be published, shape N each; with no units the arrays are empty."""

    @property
    def users(self) -> int:
        """How many users are behind it."""
        return len(np.unique(self.user_N))


@dataclass(frozen=True)
class Gains:
    """The gains of one crossing contender over the controls of some scenarios, T of them, with their draws."""

    gain_T: NDArray[np.float64]
    variance_T: NDArray[np.float64]
    drawn_RT: NDArray[np.float64]

    def pooled(self, seed: int) -> tuple[float, float, NDArray[np.float64]]:
        """Return mu, tau and the draws mu_R."""
        tau2 = between(self.gain_T, self.variance_T)
        weight_T = 1.0 / (self.variance_T + tau2)
        weight_T /= weight_T.sum()
        other_RT = np.random.default_rng([seed, 2]).standard_normal(self.drawn_RT.shape)
        tau = float(np.sqrt(tau2))
        return float(weight_T @ self.gain_T), tau, (self.drawn_RT + tau * other_RT) @ weight_T


def between(gain_T: NDArray[np.float64], variance_T: NDArray[np.float64]) -> float:
    """Return the variance of true gains between targets by the method of moments (DerSimonian and Laird 1986)."""
    if len(gain_T) < 2:
        return 0.0
    weight_T = 1.0 / variance_T
    mean = weight_T @ gain_T / weight_T.sum()
    excess = weight_T @ (gain_T - mean) ** 2 - (len(gain_T) - 1)
    return float(max(0.0, excess / (weight_T.sum() - (weight_T**2).sum() / weight_T.sum())))


def gains_of(trials: Sequence[Trial], differences: Sequence[NDArray[np.float64]], seed: int) -> Gains:
    """Return gains, variances and draws of trials that have units, given the paired differences on the units."""
    people, clusters, sums, counts = _by_cluster(trials, differences)
    gain_T = np.array([one.sum() / many.sum() for one, many in zip(sums, counts, strict=True)])
    drawn_RT = np.empty((DRAWS, len(trials)))
    generator = np.random.default_rng([seed, 0])
    for start in range(0, DRAWS, _CHUNK):
        weight_RU = generator.standard_exponential((_CHUNK, people))
        for column, (users, one, many) in enumerate(zip(clusters, sums, counts, strict=True)):
            drawn_RT[start : start + _CHUNK, column] = (weight_RU[:, users] @ one) / (weight_RU[:, users] @ many)
    return Gains(gain_T, _variances(gain_T, sums, counts), drawn_RT)


def _by_cluster(
    trials: Sequence[Trial], differences: Sequence[NDArray[np.float64]]
) -> tuple[int, list[NDArray[Any]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return the number of people, and of each trial: its people, their summed differences, their units."""
    people = np.unique(np.concatenate([trial.user_N for trial in trials]))
    clusters: list[NDArray[Any]] = []
    sums: list[NDArray[np.float64]] = []
    counts: list[NDArray[np.float64]] = []
    for trial, difference in zip(trials, differences, strict=True):
        users, place = np.unique(trial.user_N, return_inverse=True)
        clusters.append(np.searchsorted(people, users).astype(np.intp))
        sums.append(np.bincount(place, difference, len(users)).astype(np.float64))
        counts.append(np.bincount(place, minlength=len(users)).astype(np.float64))
    return len(people), clusters, sums, counts


def _variances(
    gain_T: NDArray[np.float64], sums: Sequence[NDArray[np.float64]], counts: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Return v_T: the variance of each gain over resampled users, its spread between users moderated by that of all."""
    residuals = [(one - gain * many) / many.mean() for gain, one, many in zip(gain_T, sums, counts, strict=True)]
    squares_T = np.array([residual @ residual for residual in residuals])
    freedom_T = np.array([len(residual) - 1.0 for residual in residuals])
    common = squares_T.sum() / max(freedom_T.sum(), 1.0)
    moderated_T = (squares_T + _PRIOR_USERS * common) / (freedom_T + _PRIOR_USERS)
    # Where no user of any target differs from another there is nothing to tell noise by; keep the weights finite.
    variance_T: NDArray[np.float64] = np.maximum(moderated_T, 1e-12) / (freedom_T + 1.0)
    return variance_T
