"""What every contender of a pointwise task keeps, whatever it is: one suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, config_of, table_of

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.simple import all_pointwise
from landbridge.feed.rows import Coding, Rows

# Every encoder of histories once, beside networks without a history.
READING = "history: 6, neighbours: 30, dim: 8, hidden: [16], tower: [8], heads: 2, recent: 3, epochs: 2, batch: 256"
GROUPS = (
    "{pooling: 0.5}",
    f"{{suffix: attention, kinds: [shared], encoder: attention, {READING}}}",
    f"{{suffix: recurrent, kinds: [star], encoder: recurrent, tasks: [label, value], {READING}}}",
    f"{{suffix: convolutional, kinds: [single], encoder: convolutional, {READING}}}",
    "{suffix: pooled, kinds: [mmoe], encoder: pooled, contrastive: 0.1, "
    f"augment: {{crop: 0.3, mask: 0.3, reorder: 0.5, share: 0.3}}, {READING}}}",
    "{suffix: gated, kinds: [ple, pepnet, adasparse], dim: 8, hidden: [16], tower: [8], epochs: 2, batch: 256}",
    "{suffix: small, kinds: [shared], distill: {teacher: trees_joint}, int8: true, dim: 4, hidden: [8], tower: []}",
)
CONFIG = config_of(
    f"pointwise.contenders.networks=[{', '.join(GROUPS)}]",
    "pointwise.contenders.averages={average: [logistic, trees], average_joint: [logistic_joint, shared]}",
    "features.scenario=[size, items, users]",
)
CONTENDERS = {one.name: one for one in all_pointwise(CONFIG)}
TABLE = table_of()


def rows_of(*parts: str, coding: Coding | None = None, table: pa.Table = TABLE) -> Rows:
    chosen = table.filter(pc.is_in(table["part"], pa.array(parts)))
    return Rows.of(chosen, coding or Coding.fit(chosen, NUMBERS, CATEGORIES, SCENARIOS))


TRAIN = rows_of("train")
HELD_OUT, TEST = rows_of("validation", coding=TRAIN.coding), rows_of("test", coding=TRAIN.coding)


def fit(contender, rows=TRAIN, scope="small", seed=0):
    view = PointView(CONFIG, "*" if contender.pooled else scope, rows, HELD_OUT, seed)
    sentence = contender.left_out(view)
    if sentence:
        pytest.skip(f"{contender.name}: {sentence}")
    return contender.fit(view)


@pytest.fixture(scope="module", params=list(CONTENDERS))
def contender(request):
    return CONTENDERS[request.param]


@pytest.fixture(scope="module")
def fitted(contender):
    return fit(contender)


def test_every_row_gets_a_probability(fitted):
    found = fitted.probability(TEST)
    assert found.shape == (len(TEST),)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def test_a_row_does_not_depend_on_its_batch_mates(fitted):
    some = np.array([7, 1, 30])
    whole = fitted.probability(TEST)
    np.testing.assert_allclose(fitted.probability(TEST.take(some)), whole[some], rtol=1e-4, atol=1e-5)
    assert fitted.probability(TEST.take(np.zeros(0, np.int64))).shape == (0,)


def test_the_answer_is_not_looked_at(fitted):
    hidden = np.full(len(TEST), np.nan, np.float32)
    blind = replace(TEST, label_N=hidden, value_N=hidden)
    np.testing.assert_array_equal(fitted.probability(blind), fitted.probability(TEST))


def test_the_saved_one_answers_alike_and_nothing_is_pickled(fitted, tmp_path):
    fitted.save(tmp_path)
    again = type(fitted).load(tmp_path)
    np.testing.assert_allclose(again.probability(TEST), fitted.probability(TEST), atol=1e-7)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert file.suffix in {".npy", ".npz", ".json", ".safetensors", ".txt"}
        if file.suffix in {".npy", ".npz"}:
            np.load(file, allow_pickle=False)


def test_rows_of_which_nothing_is_known_get_an_answer(fitted):
    nobody = table_of(20, seed=9).set_column(1, "user_id", pa.array([f"new{n}" for n in range(20)]))
    nobody = nobody.set_column(2, "item_id", pa.array(["new"] * 20)).drop_columns(["colour", "age"])
    nobody = nobody.append_column("colour", pa.nulls(20, pa.string())).append_column("age", pa.nulls(20, pa.float64()))
    assert np.isfinite(fitted.probability(Rows.of(nobody, TRAIN.coding))).all()


def test_the_same_seed_gives_the_same_answers(contender, fitted):
    np.testing.assert_array_equal(fit(contender).probability(TEST), fitted.probability(TEST))


def test_only_what_is_seeded_changes_with_the_seed(contender, fitted):
    other = fit(contender, seed=1)
    assert np.array_equal(other.probability(TEST), fitted.probability(TEST)) is not contender.seeded


def test_only_what_crosses_learns_from_other_scenarios(contender, fitted):
    other = TRAIN.scenario_N != TRAIN.coding.scenario("small")
    turned = replace(
        TRAIN,
        label_N=np.where(other, 1 - TRAIN.label_N, TRAIN.label_N),
        value_N=np.where(other, 11 - TRAIN.value_N, TRAIN.value_N),
    )
    own = TEST.of_scenario("small")
    same = np.array_equal(fit(contender, turned).probability(own), fitted.probability(own))
    assert same is not contender.crosses


def test_a_scenario_of_which_training_knows_nothing_gets_an_answer_or_a_sentence(contender):
    rest = TRAIN.take(TRAIN.scenario_N != TRAIN.coding.scenario("small"))
    assert np.isfinite(fit(contender, rest).probability(TEST.of_scenario("small"))).all()


def test_the_tables_features_say_something_to_whoever_reads_them():
    """Known answer: on this table age, colour and scenario reach about 0.75, and no constant passes 0.5."""
    from sklearn.metrics import roc_auc_score

    own = TEST.of_scenario("big")
    for name in ("logistic", "trees", "trees_joint", "trees_pooling"):
        assert roc_auc_score(own.label_N, fit(CONTENDERS[name], scope="big").probability(own)) > 0.65
    assert len(np.unique(fit(CONTENDERS["constant"], scope="big").probability(own))) == 1
