"""A pointwise night is judged on what its fits have not seen, decides by the rule, and cannot know what is hidden."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from tests.point_nights import DS, fit, flipped, night_of, ready
from tests.points import SCENARIOS, table_of

from landbridge.contenders.point_bundle import PointScorer
from landbridge.contenders.points import CODING
from landbridge.contenders.pointwise.folder import load_point
from landbridge.errors import ConfigError
from landbridge.evaluate.intervals import weights_of
from landbridge.evaluate.point_judge import judge_points, trials_of
from landbridge.evaluate.point_step import EVALUATE
from landbridge.evaluate.point_table import curves
from landbridge.evaluate.pointwise import auc_of
from landbridge.feed.questions import LEARNED, SCORED, Questions
from landbridge.feed.rows import Coding

TABLE = table_of(1500, folds=6)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return ready(tmp_path_factory.mktemp("night"), TABLE)


@pytest.fixture(scope="module")
def questions(night):
    return Questions.read(night.lake, DS)


@pytest.fixture(scope="module")
def outcome(night):
    return EVALUATE.run(night)


def scores_of(night):
    scorer = PointScorer.load(night.models / "bundle")
    rows = Questions.read(night.lake, DS).of_roles([SCORED])
    found = {}
    for scenario in scorer.scenarios:
        own = rows.filter(np.array(rows["scenario"].to_pylist()) == scenario)
        found |= dict(zip(own["subject_id"].to_pylist(), scorer.probability(own, scenario).tolist(), strict=True))
    return found


def test_what_is_scored_has_no_answer_and_no_fit_has_seen_it(night, questions):
    scored = questions.of_roles([SCORED])
    assert scored["label"].null_count == scored["value"].null_count == scored.num_rows > 0
    for name in ("A", "B", "C"):
        known = Coding.load(night.models / "fits" / name / CODING)
        learned = questions.of_roles(LEARNED[name])
        assert set(known.values["user"]) == set(learned["user_id"].to_pylist())
        assert learned["label"].null_count == 0
    assert not set(LEARNED["A"]) & {"validation", "test"}
    assert "test" not in LEARNED["B"]


def test_hidden_answers_cannot_change_a_score(night, outcome, tmp_path):
    """The law of a night: what comes of the scored rows, in the file or not, is not known to it."""
    other = ready(tmp_path, flipped(TABLE))
    changed = EVALUATE.run(other)
    assert changed.notes["table"] == outcome.notes["table"]
    assert scores_of(other) == scores_of(night)
    assert not np.isclose(list(scores_of(night).values()), 0.5).all()


def test_metrics_are_the_librarys_of_the_fit_that_has_not_seen_the_rows(night, questions, outcome):
    rows = {
        (row["split"], row["scenario"], row["contender"], row["metric"]): row
        for row in night.lake.read("metrics").to_pylist()
        if row["window"] == -1
    }
    for name, role in (("A", "validation"), ("B", "test")):
        coding = Coding.load(night.models / "fits" / name / CODING)
        own = questions.rows([role], coding).of_scenario("big")
        score = load_point(night.models / "fits" / name / "_all" / "trees_joint").probability(own)
        assert rows[role, "big", "trees_joint", "auc"]["value"] == pytest.approx(roc_auc_score(own.label_N, score))
        pr_auc = average_precision_score(own.label_N, score)
        assert rows[role, "big", "trees_joint", "pr_auc"]["value"] == pytest.approx(pr_auc)
    assert {key[1] for key in rows} == {*SCENARIOS, "*"}
    bounded = [row for row in rows.values() if row["low"] is not None]
    assert all(row["low"] - 1e-9 <= row["high"] for row in bounded)
    held = [row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9 for row in bounded]
    assert np.mean(held) > 0.97
    # Of resamples ECE is too large, and where nobody is called positive there is no precision.
    assert {row["metric"] for row in rows.values() if row["low"] is None} <= {"ece", "precision"}


def test_every_scenario_publishes_by_the_rule_and_says_why(night, outcome):
    routes = outcome.notes["routes"]
    assert set(routes) == set(SCENARIOS)
    crossing = set(outcome.notes["crossing"])
    assert crossing == {"trees_joint", "trees_pooling"}
    for scenario, route in routes.items():
        assert route["why"].startswith(f"{scenario} publishes {route['contender']}")
        crossed = route["contender"] in crossing
        assert crossed == (route["probability"] > night.config.guard.confidence)
        assert PointScorer.load(night.models / "bundle").contender(scenario) == route["contender"]


def test_a_trials_mean_is_the_auc_and_weighing_users_moves_it_as_auc_moves(night, questions):
    judged = judge_points(night.models, questions, 10_000)
    trial = {one.scenario: one for one in trials_of(judged, night.models, SCENARIOS, "auc")}["big"]
    one = next(o for o in judged if (o.scenario, o.contender, o.split) == ("big", "trees", "validation"))
    assert trial.values["trees"].mean() == pytest.approx(roc_auc_score(one.label_N, one.score_N))
    # Leaving a user out moves the weighted mean as it moves the AUC, to first order.
    user = int(trial.user_N[0])
    rest = one.user_N != user
    weights = (trial.user_N != user).astype(float)
    moved = weights @ trial.values["trees"] / weights.sum() - trial.values["trees"].mean()
    exact = auc_of(one.label_N[rest], one.score_N[rest], np.zeros(rest.sum(), np.intp), 1).value
    assert moved == pytest.approx(exact - trial.values["trees"].mean(), abs=2e-3)
    by_loss = {one.scenario: one for one in trials_of(judged, night.models, SCENARIOS, "log_loss")}["big"]
    assert len(by_loss.user_N) == len(one.label_N)


def test_resampled_curves_are_the_librarys_of_the_resampled_rows():
    draw = np.random.default_rng(3)
    label, score = draw.random(80) < 0.4, np.round(draw.random(80), 1).astype(np.float32)
    place = draw.integers(0, 25, 80)
    users = 25
    bounds = curves(label, score, place, users, 60, 5)
    weights = weights_of(users, 60, 5)[:, place]
    by_hand = [average_precision_score(label, score, sample_weight=one) for one in weights]
    assert bounds["pr_auc"] == pytest.approx(np.quantile(by_hand, (0.025, 0.975)))
    lines = [roc_curve(label, score, sample_weight=one) for one in weights]
    assert bounds["ks"] == pytest.approx(np.quantile([(up - down).max() for down, up, _ in lines], (0.025, 0.975)))


def test_fits_that_are_there_are_taken_and_a_killed_job_resumes(night, tmp_path):
    marks = {file: file.stat().st_mtime_ns for file in night.models.glob("fits/*/*/*/meta.json")}
    lost = night.models / "fits" / "B" / "_all" / "trees_joint" / "meta.json"
    lost.unlink()
    fit(night)
    changed = {file for file, mark in marks.items() if file.stat().st_mtime_ns != mark}
    assert changed == {lost}
    fit(replace(night, again=True))
    assert all(file.stat().st_mtime_ns != mark for file, mark in marks.items())


def test_a_contender_that_is_none_is_refused(tmp_path: Path):
    from landbridge.contenders.points import competing

    config = night_of(tmp_path).config
    wrong = config.model_copy(update={"scores": config.scores.model_copy(update={"contenders": ["tress"]})})
    with pytest.raises(ConfigError, match=r"scores\.contenders: there is no contender tress"):
        competing(wrong)
