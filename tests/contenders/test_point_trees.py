"""Partial pooling of trees: the weight of the joint trees is high where scenarios are alike, and low where not."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from tests.points import config_of

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.trees import PooledTrees, contenders
from landbridge.feed.rows import Coding, Rows

CONFIG = config_of("pointwise.contenders.trees.iterations=25")
TREES = {one.name: one for one in contenders(CONFIG)}


def view_of(signs, rows=400, scope="*"):
    """A scenario for each sign; the answer hangs on age by that sign, and on nothing else."""
    draw = np.random.default_rng(0)
    scenario = np.repeat(np.arange(len(signs)), rows)
    age = draw.normal(0, 1, len(scenario))
    label = draw.random(len(scenario)) < 1 / (1 + np.exp(-2 * age * np.array(signs)[scenario]))
    ids = [f"r{n}" for n in range(len(scenario))]
    names = [f"s{n}" for n in scenario]
    table = pa.table({"example_id": ids, "user_id": ids, "item_id": ids, "scenario": names, "age": age})
    table = table.append_column("label", pa.array(label.astype(float)))
    return PointView(CONFIG, scope, Rows.of(table, Coding.fit(table, ("age",), ())), None, 0)


def weights(signs, **changed):
    settings = CONFIG.pointwise.contenders.trees.model_copy(update={"leaves": 2, **changed})
    return PooledTrees(settings, chooses=True).fit(view_of(signs, rows=120)).weight


def test_weights_follow_what_scenarios_have_in_common():
    """Trees of two leaves add up features, so joint ones cannot turn a sign in one scenario."""
    assert np.mean(list(weights([1] * 8).values())) > 0.6
    assert max(weights([1, -1]).values()) < 0.4
    odd = weights([1, 1, 1, 1, 1, 1, -1], weight_rows=20)
    assert odd[7] < np.mean([odd[code] for code in range(1, 7)])


def test_where_a_scenarios_rows_count_for_nothing_its_weight_is_that_of_all():
    assert len(set(weights([1, 1, -1], weight_rows=10_000_000).values())) == 1


def test_a_given_weight_is_the_mean_of_both():
    view = view_of([1, -1])
    joint, both = (TREES[name].fit(view).probability(view.rows) for name in ("trees_joint", "trees_pooling"))
    own = view_of([1, -1], scope="s1")
    mask = own.rows.scenario_N == 2
    alone = TREES["trees"].fit(own).probability(own.rows)
    np.testing.assert_allclose(both[mask], 0.5 * joint[mask] + 0.5 * alone[mask], atol=1e-6)


@pytest.mark.parametrize("name", TREES)
def test_without_the_library_a_sentence_stands_in_its_place(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert "lightgbm" in TREES[name].left_out(view_of([1], scope="s0"))
