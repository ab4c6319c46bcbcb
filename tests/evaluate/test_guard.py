"""The rule of publishing on constructed scenarios, where the truth is known."""

from __future__ import annotations

import json
import math
import zlib

import numpy as np
import pytest

from landbridge.config.science import Guard
from landbridge.evaluate.gains import Trial, between, gains_of
from landbridge.evaluate.guard import decide

SOURCE = "Source"
CROSSING = {"ease_across", "fine_tune"}
SETTINGS = Guard(min_users=100)


def trial(name, users, gains, seed=0, spread=0.3, level=0.2, first=None, windows=3, units=2):
    """A scenario of so many users with the true gains of its crossing contenders over the control `ease`."""
    draw = np.random.default_rng([seed, users])
    start = zlib.crc32(name.encode()) % 1000 * 100_000 if first is None else first
    user = np.repeat(np.arange(start, start + users), units).astype(np.int32)
    base = level + draw.normal(0, spread, users).repeat(units) + draw.normal(0, 0.1, users * units)
    values = {"ease": base, "popularity": base - 0.1}
    for contender, gain in gains.items():
        values[contender] = base + gain + draw.normal(0, 0.1, users).repeat(units)
    return Trial(name, user, windows, values)


def decided(*trials, settings=SETTINGS):
    return decide(trials, CROSSING, SOURCE, settings, seed=3)


def test_a_large_target_that_gains_publishes_what_crosses():
    found = decided(trial("Gains", 300, {"ease_across": 0.05}), trial("Other", 300, {"ease_across": 0.04}, seed=1))[
        "Gains"
    ]
    assert found.published == "ease_across"
    assert found.control == "ease"
    assert found.decided_by == "own"
    assert found.probability > 0.99
    assert found.low < 0.05 < found.high
    assert found.sentence.startswith("Gains publishes ease_across: gain +0.0")
    assert "over ease on 300 users in 3 windows, P " in found.sentence


def test_a_large_target_that_loses_publishes_what_it_learned_alone_though_the_others_gain():
    others = [trial(f"Gains{number}", 300, {"ease_across": 0.05}, seed=number) for number in range(4)]
    found = decided(*others, trial("Loses", 400, {"ease_across": -0.05}, seed=9))
    assert found["Loses"].published == "ease"
    assert found["Loses"].probability < 0.05
    assert "publishes ease, learned alone: ease_across has gain -0.0" in found["Loses"].sentence
    assert all(found[f"Gains{number}"].published == "ease_across" for number in range(4))


def test_a_large_target_that_does_not_tell_publishes_what_it_learned_alone():
    found = decided(trial("Nothing", 300, {"ease_across": 0.0}))["Nothing"]
    assert found.published == "ease"
    assert 0.01 < found.probability < 0.95


@pytest.mark.parametrize(("gain", "published"), [(0.06, "ease_across"), (-0.06, "ease"), (0.0, "ease")])
def test_small_targets_decide_together(gain, published):
    """Each of the twelve has fifteen users; what they gain on the whole decides for each, whatever it saw itself."""
    small = [trial(f"Small{number}", 15, {"ease_across": gain}, seed=number) for number in range(12)]
    found = decided(*small)
    assert {decision.published for decision in found.values()} == {published}
    assert {decision.decided_by for decision in found.values()} == {"pooled"}
    assert len({decision.probability for decision in found.values()}) == 1
    assert "below 100 users the gain pooled over targets decides" in found["Small0"].sentence


def test_a_target_without_units_follows_the_others():
    empty = Trial(
        "Empty", np.zeros(0, np.int32), 0, {"ease": np.zeros(0), "popularity": np.zeros(0), "ease_across": np.zeros(0)}
    )
    found = decided(trial("Gains", 300, {"ease_across": 0.05}), empty)["Empty"]
    assert found.published == "ease_across"
    assert found.control == "ease"
    assert found.users == 0
    assert math.isnan(found.gain)
    assert "no user of its own" in found.sentence


def test_one_user_does_not_decide_for_himself():
    """His own gain is large and has no variance at all; the many others lose."""
    lucky = trial("Lucky", 1, {"ease_across": 0.9}, units=1)
    others = [trial(f"Loses{number}", 150, {"ease_across": -0.05}, seed=number) for number in range(3)]
    found = decided(lucky, *others)["Lucky"]
    assert found.published == "ease"
    assert found.gain == pytest.approx(0.9, abs=0.4)


def test_the_control_of_a_small_target_is_that_of_all_targets():
    """The luckiest of several on three users is no control; the best over all targets is."""
    small = trial("Small", 3, {"ease_across": 0.05})
    lucky = Trial("Small", small.user_N, 3, {**small.values, "popularity": small.values["ease"] + 0.1})
    found = decided(lucky, trial("Large", 300, {"ease_across": 0.05}))
    assert found["Small"].control == "ease"
    large = trial("Large", 300, {"ease_across": 0.05})
    own = Trial("Large", large.user_N, 3, {**large.values, "popularity": large.values["ease"] + 0.1})
    assert decided(own)["Large"].control == "popularity"


def test_the_source_is_judged_by_its_own_users_alone():
    targets = [trial(f"Gains{number}", 200, {"ease_across": 0.1}, seed=number) for number in range(3)]
    found = decided(*targets, trial(SOURCE, 500, {"ease_across": 0.0}))[SOURCE]
    assert found.published == "ease"
    assert found.shrunk == found.gain
    assert math.isnan(found.pooled)
    better = decided(*targets, trial(SOURCE, 500, {"ease_across": 0.05}))[SOURCE]
    assert better.published == "ease_across"


def test_of_those_that_pass_the_one_with_the_highest_shrunk_gain_is_published():
    pair = {"ease_across": 0.05, "fine_tune": 0.09}
    found = decided(trial("Both", 300, pair), trial("Other", 300, pair, seed=1))["Both"]
    assert found.published == "fine_tune"
    noisy = trial("Both", 300, {"ease_across": 0.05})
    wild = noisy.values["ease"] + np.random.default_rng(5).normal(0.02, 3.0, 600)
    found = decided(Trial("Both", noisy.user_N, 3, {**noisy.values, "fine_tune": wild}))["Both"]
    assert found.published == "ease_across"


def test_without_anything_that_crosses_it_publishes_its_own_and_says_so():
    found = decided(trial("Alone", 50, {}))["Alone"]
    assert found.published == "ease"
    assert found.challenger is None
    assert found.sentence == "Alone publishes ease, its best contender: nothing that crosses was fitted for it"


def test_a_scenario_that_lacks_a_contender_is_judged_on_what_it_has():
    found = decided(
        trial("Has", 300, {"ease_across": 0.05, "fine_tune": 0.2}), trial("Lacks", 300, {"ease_across": 0.05}, seed=2)
    )
    assert found["Lacks"].published == "ease_across"
    assert found["Has"].published == "fine_tune"


def test_nothing_depends_on_the_order_of_trials():
    trials = [trial(f"T{number}", 40 + number, {"ease_across": 0.02}, seed=number) for number in range(5)]
    assert decided(*trials) == decided(*trials[::-1])


def test_the_notes_are_json():
    found = decided(trial("Gains", 30, {"ease_across": 0.05}), trial("Alone", 30, {}))
    text = json.dumps([decision.as_note() for decision in found.values()], allow_nan=False)
    assert json.loads(text)[0]["gain"] is None


def test_the_gain_is_pulled_towards_the_pooled_one_the_more_the_fewer_users():
    """Shrinkage by hand: B = v / (v + tau^2)."""
    trials = [
        trial(f"T{number}", 120, {"ease_across": gain}, seed=number) for number, gain in enumerate((0.0, 0.1, 0.2, 0.3))
    ]
    found = decided(*trials)
    for decision in found.values():
        low, high = sorted((decision.gain, decision.pooled))
        assert low < decision.shrunk < high
    gains = gains_of(trials, [one.values["ease_across"] - one.values["ease"] for one in trials], seed=3)
    tau2 = between(gains.gain_T, gains.variance_T)
    shrink = gains.variance_T / (gains.variance_T + tau2)
    mu = (gains.gain_T / (gains.variance_T + tau2)).sum() / (1 / (gains.variance_T + tau2)).sum()
    expected = shrink * mu + (1 - shrink) * gains.gain_T
    np.testing.assert_allclose([found[f"T{number}"].shrunk for number in range(4)], expected)


def test_the_variance_between_targets_is_the_method_of_moments():
    """Equal variances v: the sample variance of the gains less v; never below zero."""
    gains = np.array([0.0, 0.1, 0.2, 0.5])
    assert between(gains, np.full(4, 0.01)) == pytest.approx(gains.var(ddof=1) - 0.01)
    assert between(gains, np.full(4, 1.0)) == 0.0
    assert between(gains[:1], np.ones(1)) == 0.0


def test_the_drawn_gains_spread_as_much_as_their_variance_says():
    trials = [trial("T", 200, {"ease_across": 0.05}, units=3)]
    gains = gains_of(trials, [trials[0].values["ease_across"] - trials[0].values["ease"]], seed=0)
    assert gains.drawn_RT[:, 0].var() == pytest.approx(gains.variance_T[0], rel=0.1)
    assert gains.drawn_RT[:, 0].mean() == pytest.approx(gains.gain_T[0], abs=2e-3)


def test_the_pooled_gain_is_as_uncertain_as_targets_differ():
    """Its variance is that of DerSimonian and Laird, 1 / sum 1 / (v + tau^2)."""
    trials = [
        trial(f"T{number}", 60, {"ease_across": gain}, seed=number) for number, gain in enumerate((-0.3, 0.1, 0.4))
    ]
    gains = gains_of(trials, [one.values["ease_across"] - one.values["ease"] for one in trials], seed=3)
    _, tau, drawn = gains.pooled(0)
    assert tau > 0.2
    assert drawn.var() == pytest.approx(1 / (1 / (gains.variance_T + tau**2)).sum(), rel=0.1)


def test_a_person_in_two_targets_is_one_cluster():
    """Two targets of the same people are drawn together, so pooling them does not halve the variance."""
    one, same = trial("One", 100, {"ease_across": 0.05}, first=0), trial("Same", 100, {"ease_across": 0.05}, first=0)
    other = trial("Other", 100, {"ease_across": 0.05}, first=1000)
    difference = one.values["ease_across"] - one.values["ease"]
    together = gains_of([one, same], [difference, difference], seed=0).pooled(0)[2]
    apart = gains_of([one, other], [difference, difference], seed=0).pooled(0)[2]
    assert together.var() == pytest.approx(2 * apart.var(), rel=0.15)


def test_a_true_gain_of_zero_is_published_seldom():
    """With the truth at zero, P above 0.95 comes up in about a twentieth of the nights."""
    passed = [
        decided(trial("T", 120, {"ease_across": 0.0}, seed=seed))["T"].published == "ease_across" for seed in range(60)
    ]
    assert np.mean(passed) < 0.15
