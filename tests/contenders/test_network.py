"""Rankers as pointwise contenders: names, strategies, histories; the common suite is in conformance."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, config_of, table_of
from tests.train.together import together

from landbridge.config.histories import Augment
from landbridge.config.rankers import RankerSettings, Sparsity
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.network import PointNetwork, contenders
from landbridge.contenders.pointwise.prepared import Known, Prepared
from landbridge.contenders.pointwise.steps import fit_ranker, probabilities
from landbridge.errors import TrainError
from landbridge.feed.past import Past
from landbridge.feed.rows import Coding, Rows
from landbridge.models.encoders import ENCODERS
from landbridge.models.rankers import new_ranker
from landbridge.models.rankers.history import histories_of

CONFIG = config_of()
TABLE = table_of(3000)
PARTS = {part: TABLE.filter(pc.equal(TABLE["part"], part)) for part in ("train", "validation", "test")}
CODING = Coding.fit(PARTS["train"], NUMBERS, CATEGORIES, SCENARIOS)
TRAIN, HELD_OUT, TEST = (Rows.of(PARTS[part], CODING) for part in ("train", "validation", "test"))
# Enough rows of every item that one answer moves an item's level by little.
MANY = Rows.of(many := table_of(10_000, users=500), Coding.fit(many, NUMBERS, CATEGORIES, SCENARIOS))
SMALL = RankerSettings(dim=8, hidden=[16], tower=[8], experts=2, batch=256, epochs=4, learning_rate=0.01)
PAST = SMALL.model_copy(update={"history": 6, "heads": 2, "tasks": ("label", "value"), "neighbours": 30})
READ = PAST.model_copy(update={"encoder": "attention", "recent": 3})


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
@pytest.mark.parametrize("settings", [SMALL, PAST, READ], ids=["plain", "past", "encoder"])
def test_every_strategy_is_saved_and_repeats_itself(strategy, settings, tmp_path):
    fitted = fit("star", strategy, settings)
    found = fitted.probability(TEST)
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_array_equal(fit("star", strategy, settings).probability(TEST), found)
    assert not np.array_equal(fit("star", strategy, settings, seed=1).probability(TEST), found)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(type(fitted).load(tmp_path).probability(TEST), found)


@pytest.mark.parametrize("kind", ["ple", "pepnet", "adasparse"])
@pytest.mark.parametrize("strategy", ["joint", "target_only", "zero_shot", "fine_tune"])
def test_every_kind_crosses_by_every_strategy(kind, strategy, tmp_path):
    fitted, own = fit(kind, strategy), TEST.of_scenario("small")
    found = fitted.probability(own)
    assert ((found > 0) & (found < 1)).all()
    assert not np.array_equal(fit(kind, strategy, seed=1).probability(own), found)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(type(fitted).load(tmp_path).probability(own), found)


def test_sparsity_is_of_adasparse_alone_and_leaves_what_others_learn_as_it_is():
    given = SMALL.model_copy(update={"sparsity": Sparsity(low=0.8, high=0.9, weight=50.0)})
    for kind, same in (("shared", True), ("mmoe", True), ("ple", True), ("pepnet", True), ("adasparse", False)):
        found = [fit(kind, settings=one).probability(TEST) for one in (SMALL, given)]
        assert np.array_equal(*found) is same


def test_adasparse_prunes_the_share_that_it_is_asked_for():
    known = Known.fit(TRAIN, 2)
    every = Prepared.of(TEST, known, None, None).batch(np.arange(len(TEST)))
    shares = []
    for low, high in ((0.0, 0.05), (0.5, 0.6)):
        given = SMALL.model_copy(update={"sparsity": Sparsity(low=low, high=high, weight=20.0), "epochs": 8})
        pruned_BL = fit("adasparse", settings=given).ranker.judged(every)[1]
        shares.append(float(pruned_BL.detach().mean()))
    assert shares[0] < 0.15
    assert 0.4 < shares[1] < 0.7


@pytest.mark.parametrize("settings", [SMALL, PAST, READ], ids=["plain", "past", "encoder"])
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
    source = one._fitting.source
    assert source(view) is source(replace(view, scope="middle"))
    assert source(view) is not source(replace(view, seed=1))


def test_what_cannot_be_fitted_is_said():
    view = PointView(CONFIG, "big", TRAIN, HELD_OUT, 0)
    assert "is the source" in PointNetwork("shared", "fine_tune", SMALL).left_out(view)
    rest = TRAIN.take(TRAIN.scenario_N != CODING.scenario("big"))
    assert "no training rows" in PointNetwork("shared", "zero_shot", SMALL).left_out(replace(view, rows=rest))
    assert "no training rows" in PointNetwork("single", "joint", SMALL).left_out(replace(view, rows=rest))


def test_where_nobody_has_two_rows_a_history_is_refused():
    first = TRAIN.take(np.unique(TRAIN.user_N, return_index=True)[1])
    view = PointView(CONFIG, "*", first, HELD_OUT, 0)
    for settings in (PAST, READ):
        told = PointNetwork("shared", "joint", settings).left_out(view)
        assert "reads a history of 6 events, but none of the" in told
        assert "leave history and encoder out" in told
    assert PointNetwork("shared", "joint", SMALL).left_out(view) is None
    assert PointNetwork("shared", "joint", READ).left_out(replace(view, rows=TRAIN)) is None


def test_events_stand_oldest_first_and_of_one_moment_the_nearest_last():
    timed = replace(TRAIN, moment_N=np.floor(np.arange(len(TRAIN)) / 100.0))
    for rows in (timed, TRAIN):
        past = Past.fit(rows, 6, True, 30, 3.0)
        events = Prepared.of(rows, Known.fit(rows, 2), past, None).batch(np.arange(len(rows))).events
        there = events.item_BL > 0
        assert (there.long().diff(dim=1) >= 0).all()
        assert there.any()
        assert not (events.age_BL[~there] != 0).any()
        age, near = events.age_BL, torch.exp(events.pair_BLP[..., :-1]).sum(-1)
        both = there[:, :-1]
        assert (age.diff(dim=1)[both] <= 0).all()
        assert (near.diff(dim=1)[both & (age.diff(dim=1) == 0)] >= -1e-4).all()
        assert ((age[there] > 0) == (rows is timed)).all()


@pytest.fixture(scope="module")
def turned():
    """Of two rows: which of their user's rows each is, and what stands beside these before and after it is turned."""

    def beside(rows, some):
        past = Past.fit(rows, 6, True, 30, 3.0)
        prepared = Prepared.of(rows.take(some), Known.fit(rows, 2), past, None)
        return histories_of(prepared.batch(np.arange(len(some))))

    found = []
    for row in (3, 1700):
        some, here = np.flatnonzero(MANY.user_N == MANY.user_N[row]), np.arange(len(MANY)) == row
        label, value = (np.where(here, most - was, was).astype(np.float32)
                        for most, was in ((1, MANY.label_N), (11, MANY.value_N)))  # fmt: skip
        other = replace(MANY, label_N=label, value_N=value)
        found.append((some == row, beside(MANY, some), beside(other, some)))
    return found


@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_row_is_told_its_own_answer_by_an_encoder(encoder, turned):
    """Turned over, an answer changes what is encoded of the user's other rows, and next to nothing of its own."""
    sizes = replace(fit("shared", settings=PAST).ranker.sizes, items=MANY.coding.size("item"), encoder=encoder)
    ranker = new_ranker("shared", sizes, 0)
    for own, before, after in turned:
        with torch.no_grad():
            moved = (ranker.encoded(after) - ranker.encoded(before)).abs().amax(1).numpy()
        assert moved[own] < 0.02 * moved[~own].max()
        assert moved[~own].max() > 0.02


def test_the_contrastive_loss_and_the_views_change_what_is_learned():
    augment = Augment(crop=0.3, mask=0.3, reorder=0.5)
    plain = fit("shared", settings=READ).probability(TEST)
    for change in ({"contrastive": 0.3}, {"contrastive": 0.0, "augment": augment.model_copy(update={"share": 0.5})}):
        other = READ.model_copy(update={"augment": augment, **change})
        assert not np.array_equal(fit("shared", settings=other).probability(TEST), plain)


def test_ranks_that_share_a_fit_learn_what_one_learns():
    """With an encoder, its contrastive loss, and the epoch chosen by the AUC over all ranks."""
    settings = READ.model_copy(
        update={"dropout": 0.0, "epochs": 2, "contrastive": 0.1, "augment": Augment(crop=0.3, mask=0.3)}
    )
    known, past = Known.fit(TRAIN, 2), Past.fit(TRAIN, 6, True, 30, 20.0)
    train, held_out = (Prepared.of(rows, known, past, None) for rows in (TRAIN, HELD_OUT))
    sizes = fit("shared", settings=settings).ranker.sizes

    def part(ranks):
        ranker = new_ranker("shared", sizes, 0)
        found = fit_ranker(ranker, train, held_out, settings, 5, ranks=ranks)
        return found, probabilities(ranker, held_out)

    (one, score), *_ = together(1, part)
    for found, others in together(2, part):
        assert found == pytest.approx(one, abs=2e-3)
        np.testing.assert_allclose(others, score, atol=0.02)
    assert one[-1] == pytest.approx(roc_auc_score(HELD_OUT.label_N, score), abs=1e-9) or one[-1] < max(one)


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
