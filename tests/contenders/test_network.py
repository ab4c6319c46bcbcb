"""Rankers as pointwise contenders: names, strategies, histories; the common suite is in conformance."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, config_of, table_of

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.network import PointNetwork, contenders
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import fit_ranker, probabilities
from landbridge.errors import TrainError
from landbridge.feed.rows import Coding, Rows
from landbridge.models.rankers import new_ranker

CONFIG = config_of()
TABLE = table_of(3000)
PARTS = {part: TABLE.filter(pc.equal(TABLE["part"], part)) for part in ("train", "validation", "test")}
CODING = Coding.fit(PARTS["train"], NUMBERS, CATEGORIES, SCENARIOS)
TRAIN, HELD_OUT, TEST = (Rows.of(PARTS[part], CODING) for part in ("train", "validation", "test"))
SMALL = RankerSettings(dim=8, hidden=[16], tower=[8], experts=2, batch=256, epochs=4, learning_rate=0.01)
PAST = SMALL.model_copy(update={"history": 6, "heads": 2, "tasks": ("label", "value"), "neighbours": 30})


def fit(kind, strategy="joint", settings=SMALL, scope="small", rows=TRAIN, seed=0):
    one = PointNetwork(kind, strategy, settings)
    return one.fit(PointView(CONFIG, "*" if one.pooled else scope, rows, HELD_OUT, seed))


def test_names_say_kind_group_and_strategy():
    group = "pointwise.contenders.networks=[{kinds: [single, star], strategies: [joint, fine_tune, zero_shot]}, "
    group += "{suffix: past, kinds: [star], history: 5}]"
    found = {one.name: (one.crosses, one.pooled) for one in contenders(config_of(group))}
    assert found == {
        "single": (False, False), "single_fine_tune": (True, False), "single_zero_shot": (True, True),
        "star": (True, True), "star_fine_tune": (True, False), "star_zero_shot": (True, True),
        "star_past": (True, True),
    }  # fmt: skip


@pytest.mark.parametrize("strategy", ["joint", "target_only", "zero_shot", "fine_tune"])
@pytest.mark.parametrize("settings", [SMALL, PAST], ids=["plain", "past"])
def test_every_strategy_is_saved_and_repeats_itself(strategy, settings, tmp_path):
    fitted = fit("star", strategy, settings)
    found = fitted.probability(TEST)
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_array_equal(fit("star", strategy, settings).probability(TEST), found)
    assert not np.array_equal(fit("star", strategy, settings, seed=1).probability(TEST), found)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(type(fitted).load(tmp_path).probability(TEST), found)


@pytest.mark.parametrize("settings", [SMALL, PAST], ids=["plain", "past"])
def test_a_row_does_not_depend_on_its_batch_mates(settings):
    fitted, some = fit("mmoe", settings=settings), np.array([9, 3, 80])
    whole = fitted.probability(TEST)
    np.testing.assert_allclose(fitted.probability(TEST.take(some)), whole[some], atol=1e-5)
    assert fitted.probability(TEST.take(np.zeros(0, np.int64))).shape == (0,)


def test_target_only_learns_nothing_of_other_scenarios():
    other = TRAIN.scenario_N != CODING.scenario("small")
    turned = replace(TRAIN, label_N=np.where(other, 1 - TRAIN.label_N, TRAIN.label_N))
    own = TEST.of_scenario("small")
    for strategy, same in (("target_only", True), ("fine_tune", False)):
        first, second = fit("star", strategy, PAST), fit("star", strategy, PAST, rows=turned)
        assert np.array_equal(first.probability(own), second.probability(own)) is same


def test_zero_shot_answers_as_if_the_target_were_the_source():
    fitted = fit("star", "zero_shot")
    assert fitted.as_scenario == CODING.scenario("big")
    as_source = replace(TEST, scenario_N=np.full(len(TEST), CODING.scenario("big"), np.int32))
    np.testing.assert_array_equal(fitted.probability(as_source), fitted.probability(TEST))


def test_the_source_is_fitted_once_for_all_targets():
    one = PointNetwork("shared", "fine_tune", SMALL)
    view = PointView(CONFIG, "small", TRAIN, HELD_OUT, 0)
    assert one._of_source(view) is one._of_source(replace(view, scope="middle"))
    assert one._of_source(view) is not one._of_source(replace(view, seed=1))


def test_what_cannot_be_fitted_is_said():
    view = PointView(CONFIG, "big", TRAIN, HELD_OUT, 0)
    assert "is the source" in PointNetwork("shared", "fine_tune", SMALL).left_out(view)
    rest = TRAIN.take(TRAIN.scenario_N != CODING.scenario("big"))
    assert "no training rows" in PointNetwork("shared", "zero_shot", SMALL).left_out(replace(view, rows=rest))
    assert "no training rows" in PointNetwork("single", "joint", SMALL).left_out(replace(view, rows=rest))


def test_the_best_epoch_on_held_out_rows_stays():
    fitted = fit("shared")
    judged = roc_auc_score(HELD_OUT.label_N, fitted.probability(HELD_OUT))
    assert judged == pytest.approx(max(fitted.heldout_auc), abs=1e-6)
    assert roc_auc_score(TEST.label_N, fitted.probability(TEST)) > 0.65


def test_a_user_of_one_row_has_no_embedding():
    first = TRAIN.take(np.unique(TRAIN.user_N, return_index=True)[1])
    assert not Known.fit(first, 2).user_U.any()
    assert fit("shared", rows=first).ranker.sizes.users == 1


def test_processes_that_share_a_fit_take_the_same_steps():
    """Two ranks with half of every batch each give the weights of one process, up to rounding."""
    settings = SMALL.model_copy(update={"dropout": 0.0, "epochs": 1})
    known = Known.fit(TRAIN, 2)
    train = Prepared.of(TRAIN, known, None, None)
    sizes = fit("shared", settings=settings).ranker.sizes

    class Recorder:
        rank, size = 0, 2

        def __init__(self, rank, heard=None):
            self.rank, self.heard, self.said, self.step = rank, heard, [], 0

        def sum_(self, values):
            self.said.append(values.clone())
            return values

    def first_step(ranks):
        ranker = new_ranker("shared", sizes, 0)
        fit_ranker(ranker, train, None, settings, 5, ranks=ranks)
        return ranks.said[0]

    one = Recorder(0)
    one.size = 1
    whole = first_step(one)
    halves = sum(first_step(Recorder(rank)) for rank in (0, 1))
    np.testing.assert_allclose(halves.numpy(), whole.numpy(), atol=2e-3, rtol=1e-3)


def test_a_loss_that_is_not_finite_stops_with_a_sentence():
    ranker = new_ranker("shared", fit("shared").ranker.sizes, 0)
    ranker.inputs.norm.weight.data.fill_(float("inf"))
    train = Prepared.of(TRAIN, Known.fit(TRAIN, 2), None, None)
    with pytest.raises(TrainError, match="nothing was updated"):
        fit_ranker(ranker, train, None, SMALL, 0)
    assert len(probabilities(ranker, train)) == len(TRAIN)
