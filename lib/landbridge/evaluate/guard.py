"""The one rule of publishing: a scenario publishes what it learned alone, unless what crosses is shown to help.

Setting
    A trial is a scenario with its validation units i = 1..N, each of one user, and the guard's metric x_ci of every
    contender c on every unit. The control is the contender that learned from the scenario alone with the highest mean;
    in a target with fewer than `min_users` users the one with the highest mean over the units of all targets, because
    the best of several on five users is the luckiest, and pooling such gains would add up the bias, not the evidence.
    The gain of a contender that learned across is the paired difference to the control on the same units,
    g = mean(x_ci - x_0i).

Resampling
    Users are the clusters: a draw r weighs each user by an exponential number (the Bayesian bootstrap, Rubin 1981) and
    g_tr is the weighted gain of target t. Against drawing users with replacement it has the advantage that no target
    of three users ever loses all of them. A user of several targets has one weight in all of them.

Shrinkage
    Gains of targets are taken as normal around their true gains, those as normal around a common mean,
        g_t ~ N(theta_t, v_t),  theta_t ~ N(mu, tau^2).
    v_t is the variance of a ratio over clusters, s_t^2 / users_t, where s_t^2 is moderated by the variance within all
    targets (a prior of ten users, as for variances in Smyth 2004): of one user alone no variance can be told.
    tau^2 is estimated by the method of moments (DerSimonian and Laird 1986), mu by weights 1 / (v_t + tau^2). Then
        shrunk_t = B_t mu + (1 - B_t) g_t,  B_t = v_t / (v_t + tau^2).

Probability of gain
    In each draw mu_r is the same mean of g_tr + tau e_tr with standard normal e, because other targets might have been
    in the sample: its variance is 1 / sum 1 / (v_t + tau^2). And theta_tr = B_t (mu_r + tau e_r) + (1 - B_t) g_tr, of
    which the variance given mu is v_t tau^2 / (v_t + tau^2), as in the posterior. P is the share of draws above zero.
    A target with fewer than `min_users` users is too small to speak for itself: for it P is the share of draws with
    mu_r above zero. The source is no target: its gain is its own, without shrinkage.

Decision
    Of the contenders that crossed with P > `confidence` the one with the highest shrunk gain; else the control.
    A scenario without units follows the targets: their control, the pooled gain and its P.
    (The control is the best of several, which favours it; the winner among the crossing is the best of several too,
    which favours that one. `metrics` holds the test days, on which nothing was chosen.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from landbridge.config.science import Guard
from landbridge.evaluate.gains import DRAWS, Gains, Trial, gains_of
from landbridge.evaluate.intervals import percentiles


@dataclass(frozen=True)
class Decision:
    """What a scenario publishes, and every number behind it; gains are in the guard's metric, over the control."""

    scenario: str
    published: str
    control: str
    challenger: str | None
    """The crossing contender that was published or, where none passed, the one with the highest shrunk gain."""
    gain: float
    low: float
    high: float
    """The gain on the scenario's own units, NaN without any, and its 95 % interval."""
    shrunk: float
    pooled: float
    pooled_low: float
    pooled_high: float
    """The gain pooled over targets, NaN for the source."""
    spread: float
    """tau, the standard deviation of true gains between targets."""
    probability: float
    decided_by: Literal["own", "pooled"]
    users: int
    windows: int
    sentence: str

    def as_note(self) -> dict[str, Any]:
        """Return the numbers as JSON has them: NaN becomes None."""
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in asdict(self).items()
        }


def decide(
    trials: Sequence[Trial], crossing: Collection[str], source: str, settings: Guard, seed: int
) -> dict[str, Decision]:
    """Return what every scenario publishes.

    Parameters
    ----------
    trials
        One for each scenario; a scenario without a contender that learned alone cannot be decided on and is left out.
    crossing
        The contenders that learned across; all others learned alone.
    """
    trials = [trial for trial in sorted(trials, key=lambda one: one.scenario) if set(trial.values) - set(crossing)]
    targets = [trial for trial in trials if trial.scenario != source]
    controls = {trial.scenario: _control(trial, targets, crossing, settings) for trial in trials}
    challengers = sorted({name for trial in trials for name in trial.values} & set(crossing))
    found: dict[str, list[Decision]] = {trial.scenario: [] for trial in trials}
    for challenger in challengers:
        for group in (targets, [trial for trial in trials if trial.scenario == source]):
            for decision in _against(challenger, group, controls, settings, seed, pooled=group is targets):
                found[decision.scenario].append(decision)
    by_name = {trial.scenario: trial for trial in trials}
    return {
        scenario: _choose(by_name[scenario], controls[scenario], options, settings)
        for scenario, options in found.items()
    }


def _control(trial: Trial, targets: Sequence[Trial], crossing: Collection[str], settings: Guard) -> str:
    """Return the best contender that learned alone: on its own units or, of few users, on those of all targets."""
    alone = sorted(set(trial.values) - set(crossing))
    small = trial in targets and trial.users < settings.min_users
    judging = targets if small else [trial]

    def mean(name: str) -> float:
        values = [one.values[name] for one in judging if name in one.values and len(one.user_N)]
        return float(np.concatenate(values).mean()) if values else -np.inf

    return max(alone, key=mean)


def _against(
    challenger: str, group: Sequence[Trial], controls: Mapping[str, str], settings: Guard, seed: int, pooled: bool
) -> list[Decision]:
    """Return, for each scenario of the group that has the challenger, what speaks for it."""
    having = [trial for trial in group if challenger in trial.values]
    judged = [trial for trial in having if len(trial.user_N)]
    if not judged:
        return []
    gains = gains_of(
        judged, [trial.values[challenger] - trial.values[controls[trial.scenario]] for trial in judged], seed
    )
    mu, tau, mu_R = gains.pooled(seed)
    # Normal draws of their own stream: the same for all challengers, so that they differ by their gains alone.
    noise_R = np.random.default_rng([seed, 1]).standard_normal(DRAWS)
    decisions = []
    for trial in having:
        place = judged.index(trial) if trial in judged else None
        own = place is not None and (not pooled or trial.users >= settings.min_users)
        shrink = _shrink(gains, place, tau, pooled)
        gain = float("nan") if place is None else float(gains.gain_T[place])
        gain_R = np.full(DRAWS, np.nan) if place is None else gains.drawn_RT[:, place]
        theta_R = shrink * (mu_R + tau * noise_R) + (1.0 - shrink) * np.nan_to_num(gain_R) if own else mu_R
        low, high = percentiles(gain_R[:, None])
        pooled_low, pooled_high = percentiles(mu_R[:, None])
        common = (mu, float(pooled_low[0]), float(pooled_high[0]), tau) if pooled else (float("nan"),) * 4
        decisions.append(
            Decision(
                trial.scenario,
                challenger,
                controls[trial.scenario],
                challenger,
                gain,
                float(low[0]),
                float(high[0]),
                shrink * mu + (1.0 - shrink) * (0.0 if place is None else gain),
                *common,
                float((theta_R > 0).mean()),
                "own" if own else "pooled",
                trial.users,
                trial.windows,
                "",
            )
        )
    return decisions


def _shrink(gains: Gains, place: int | None, tau: float, pooled: bool) -> float:
    """Return B: 1 without units of its own, 0 for the source."""
    if place is None:
        return 1.0
    if not pooled:
        return 0.0
    return float(gains.variance_T[place] / (gains.variance_T[place] + tau**2))


def _choose(trial: Trial, control: str, options: Sequence[Decision], settings: Guard) -> Decision:
    passing = [option for option in options if option.probability > settings.confidence]
    best = max(passing or options, key=lambda option: option.shrunk, default=None)
    nan = float("nan")
    if best is None:
        decision = Decision(
            trial.scenario, control, control, None, *(nan,) * 8, nan, "own", trial.users, trial.windows, ""
        )
    else:
        decision = Decision(**{**vars(best), "published": best.challenger if passing else control})
    return Decision(**{**vars(decision), "sentence": sentence(decision, settings)})


def sentence(decision: Decision, settings: Guard) -> str:
    """Say what is published, against what, on how many users, with which interval, and why."""
    who, control = decision.scenario, decision.control
    if decision.challenger is None:
        return f"{who} publishes {control}, its best contender: nothing that crosses was fitted for it"
    measured = (
        f"gain {decision.gain:+.3f} [{decision.low:.3f}, {decision.high:.3f}] over {control} on {decision.users} users "
        f"in {decision.windows} window{'s' if decision.windows != 1 else ''}"
        if decision.users
        else f"over {control}, with no user of its own to judge by"
    )
    if decision.decided_by == "pooled":
        measured += (
            f"; below {settings.min_users} users the gain pooled over targets decides, "
            f"{decision.pooled:+.3f} [{decision.pooled_low:.3f}, {decision.pooled_high:.3f}]"
        )
    if decision.published == control:
        return (
            f"{who} publishes {control}, learned alone: {decision.challenger} has {measured}, "
            f"P {decision.probability:.3f}, not above {settings.confidence:g}"
        )
    return f"{who} publishes {decision.published}: {measured}, P {decision.probability:.3f}"
