"""What every strategy of rows keeps: one suite, on a source that knows the target's answers, or nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from tests.points import SCENARIOS, config_of
from tests.train.together import together

from landbridge.config.rankers import RankerSettings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.crossing import ROW_STRATEGIES, FromSource, strategy_of
from landbridge.contenders.pointwise.fitting import Fitting
from landbridge.contenders.pointwise.folder import load_point, save_point
from landbridge.contenders.pointwise.network import PointNetwork
from landbridge.feed.rows import Coding, Rows
from landbridge.models.encoder import Table
from landbridge.models.rankers import RANKERS
from landbridge.models.rankers.bridge import Bridge
from landbridge.models.rankers.graph import Graph

CONFIG = config_of("pointwise={numbers: {}, categories: {}, tags: tags}", "transfer.meta.turns=3")
GIVEN = RankerSettings(
    dim=8, hidden=[16], tower=[8], experts=2, batch=256, epochs=8, learning_rate=0.02, weight_decay=0.1
)
USERS, ITEMS = 80, 30
FROM_SOURCE = [name for name, one in ROW_STRATEGIES.items() if issubclass(one, FromSource)]
OWN = ("side", "fusion", "bridge")
"""Those whose rankers begin fresh and read all they want of their own."""


def table(telling: bool) -> pa.Table:
    """Users of two tastes and items of two kinds: who likes what is alike in every scenario, or noise in the source."""
    draw = np.random.default_rng(3)
    taste_U, kind_I = draw.choice([-1, 1], USERS), draw.choice([-1, 1], ITEMS)
    scenario = np.repeat(np.arange(3), [1600, 200, 700])
    user, item = draw.integers(0, USERS, len(scenario)), draw.integers(0, ITEMS, len(scenario))
    # Some items and users are in the target alone.
    user, item = (np.where(scenario == 2, one, one % most) for one, most in ((user, 70), (item, 26)))
    match = taste_U[user] * kind_I[item] * np.where((scenario == 0) & (not telling), 0, 1)
    label = draw.random(len(scenario)) < 1 / (1 + np.exp(-3.0 * match))
    part = np.where((scenario == 2) & (np.arange(len(scenario)) % 7 > 1), "test", "train")
    return pa.table(
        {
            "example_id": [f"e{n:05d}" for n in range(len(scenario))],
            "user_id": [f"u{one}" for one in user],
            "item_id": [f"i{one}" for one in item],
            "scenario": [SCENARIOS[one] for one in scenario],
            "label": label.astype(float),
            "value": label.astype(float) * 9 + 1,
            "part": part,
            "tags": [[f"t{one % 3}"] for one in item],
        }
    )


def rows_of(telling: bool) -> tuple[Rows, Rows]:
    whole = table(telling)
    coding = Coding.fit(whole, (), (), SCENARIOS)
    rows = Rows.of(whole, coding)
    return rows.take(rows.part_N == "train"), rows.take(rows.part_N == "test")


TOLD, NOISE = rows_of(True), rows_of(False)
VIEW = PointView(CONFIG, "small", TOLD[0], None, 0)


def fitted(name, kind="shared", rows=TOLD, given=GIVEN):
    one = PointNetwork(kind, name, given)
    view = replace(VIEW, rows=rows[0], scope="*" if one.pooled else "small")
    assert one.left_out(view) is None
    return one.fit(view)


def auc(found, rows=TOLD):
    return roc_auc_score(rows[1].label_N, found.probability(rows[1]))


@pytest.fixture(scope="module")
def found():
    return {name: fitted(name) for name in ROW_STRATEGIES}


def weights(ranker):
    return {name: value.clone() for name, value in ranker.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", FROM_SOURCE)
def test_the_start_is_the_same_every_time_and_the_source_stays_as_it_is(name):
    fitting, strategy = Fitting(name, "shared", GIVEN), strategy_of(name)
    begun = strategy.begun(fitting, VIEW)
    before = weights(begun.ranker)
    first, second = (strategy.start(fitting, VIEW, begun) for _ in range(2))
    assert same(weights(first), weights(second))
    strategy.fit(fitting, VIEW)
    assert same(weights(begun.ranker), before)
    assert all(value.requires_grad for value in begun.ranker.parameters())


@pytest.mark.parametrize("name", [name for name in ROW_STRATEGIES if name != "target_only"])
def test_a_source_that_knows_the_answer_helps(name, found):
    assert auc(found[name]) > auc(found["target_only"]) + 0.03


@pytest.mark.parametrize("name", OWN)
def test_a_source_of_noise_leaves_a_ranker_of_its_own_where_it_would_be_alone(name):
    assert auc(fitted(name, rows=NOISE), NOISE) == pytest.approx(auc(fitted("target_only", rows=NOISE), NOISE), abs=0.1)


@pytest.mark.parametrize("name", ROW_STRATEGIES)
def test_the_saved_one_answers_alike(name, found, tmp_path):
    for number, one in enumerate((found[name], fitted(name, given=GIVEN.model_copy(update={"int8": True})))):
        save_point(one, tmp_path / str(number), {})
        again = load_point(tmp_path / str(number))
        np.testing.assert_array_equal(again.probability(TOLD[1]), one.probability(TOLD[1]))


@pytest.mark.parametrize("name", ROW_STRATEGIES)
def test_two_ranks_learn_what_one_learns(name):
    given = GIVEN.model_copy(update={"dropout": 0.0, "epochs": 1})

    def part(ranks):
        one = strategy_of(name)
        view = replace(VIEW, scope="*" if one.pooled else "small")
        network = PointNetwork("shared", name, given)
        network._fitting = Fitting(name, "shared", given, ranks)
        return network.fit(view).probability(TOLD[1])

    (alone,) = together(1, part)
    for score in together(2, part):
        np.testing.assert_allclose(score, alone, atol=0.02)


@pytest.mark.parametrize("kind", [kind for kind in RANKERS if kind != "shared"])
@pytest.mark.parametrize("name", ["freeze", "low_rank", "side", "fusion", "bridge", "graph", "prompt"])
def test_every_kind_takes_every_form(kind, name, tmp_path):
    """What a form puts into a ranker is there in each: it moves, and it is loaded again."""
    one = fitted(name, kind, given=GIVEN.model_copy(update={"epochs": 1}))
    save_point(one, tmp_path / "fit", {})
    np.testing.assert_array_equal(load_point(tmp_path / "fit").probability(TOLD[1]), one.probability(TOLD[1]))


@pytest.mark.parametrize("name", ["freeze", "prompt"])
def test_a_body_that_stays_learns_ids_that_the_source_never_met(name):
    fitting, strategy = Fitting(name, "shared", GIVEN), strategy_of(name)
    begun = strategy.begun(fitting, VIEW)
    before, fit = weights(begun.ranker), strategy.fit(fitting, VIEW)
    after, met = weights(fit.ranker), torch.from_numpy(begun.known.item_I)
    table = "inputs.ids.item.table.weight"
    assert torch.equal(before[table][met], after[table][met])
    new = fit.known.item_I & ~begun.known.item_I
    assert new.any()
    assert not torch.equal(before[table][new], after[table][new])
    assert torch.equal(before["tower.stack.layers.0.weight"], after["tower.stack.layers.0.weight"])
    head = torch.equal(before["tower.stack.layers.1.weight"], after["tower.stack.layers.1.weight"])
    assert head is (name == "prompt")
    items = [one for key, one in fit.ranker.named_modules() if isinstance(one, Table) and key.endswith("item")]
    assert all(one.held is not None for one in items)


def test_no_pair_is_told_its_own_answer_by_the_graph():
    """With its edge and without it, a trained pair reads the same vectors; pairs nearby do not."""
    fitting, strategy = Fitting("graph", "shared", GIVEN), strategy_of("graph")
    ranker = strategy.start(fitting, VIEW, strategy.begun(fitting, VIEW))
    whole = ranker.inputs.carried
    pair = int(whole.liked_E[40])
    less = Graph(whole.users, whole.items, len(whole.liked_E) - 1, len(whole.trained_T), whole.layers)
    less.liked_E.copy_(whole.liked_E[whole.liked_E != pair])
    less.trained_T.copy_(whole.trained_T)
    user = pair // whole.items

    def read(graph, item):
        ids = {"user": torch.tensor([user]), "item": torch.tensor([item])}
        plain = {name: ranker.inputs.ids[name](ids[name]) for name in ids}
        return torch.cat(list(graph(plain, ids, ranker.inputs.ids).values()))

    assert torch.equal(read(whole, pair % whole.items), read(less, pair % whole.items))
    trained = set(whole.trained_T.tolist())
    untrained = next(item for item in range(1, whole.items) if user * whole.items + item not in trained)
    assert not torch.equal(read(whole, untrained), read(less, untrained))


def test_a_bridge_weighs_what_is_known_on_either_side():
    bridge = Bridge(4, 3, 2, weight=10.0)
    bridge.user_UD.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]))
    bridge.there_U.copy_(torch.tensor([False, True, True, False]))
    bridge.count_U.copy_(torch.tensor([0.0, 0.0, 30.0, 5.0]))
    own = torch.tensor([[0.0, 0.0], [0.0, 8.0], [0.0, 8.0], [0.0, 8.0]])
    found = bridge({"user": own}, {"user": torch.arange(4)}, torch.nn.ModuleDict())["user"]
    # The map begins as none: the user is who he is in the source.
    assert torch.allclose(found, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.25, 6.0], [0.0, 8.0]]))


def test_what_makes_no_sense_is_said():
    with pytest.raises(ValidationError, match="a row asks about one"):
        RankerSettings(strategies=("generative",))
    strangers = TOLD[0].user_N.copy()
    strangers[TOLD[0].scenario_N == TOLD[0].coding.scenario("big")] = 1
    apart = replace(TOLD[0], user_N=strangers).take((TOLD[0].scenario_N != 3) | (TOLD[0].user_N != 1))
    for name in ("bridge", "graph"):
        told = PointNetwork("shared", name, GIVEN).left_out(replace(VIEW, rows=apart))
        assert f"{name} carries what the source big knows of users" in told
    assert "is the source" in PointNetwork("shared", "graph", GIVEN).left_out(replace(VIEW, scope="big"))
