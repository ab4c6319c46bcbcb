"""Contenders that answer from the user's other answers: a row's own answer is in nothing that is said of it."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, config_of, table_of

from landbridge.config.neighbours import Levels as LevelsGiven
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.biases import Biases
from landbridge.contenders.pointwise.content import Content
from landbridge.contenders.pointwise.factors import Factors
from landbridge.contenders.pointwise.first import First, out_of_fold
from landbridge.contenders.pointwise.history import Past
from landbridge.contenders.pointwise.neighbours import Companions, Neighbours
from landbridge.contenders.pointwise.simple import known_pointwise
from landbridge.errors import TrainError
from landbridge.feed.rows import Coding, Rows

TABLE = table_of(800, users=60)
ROWS = Rows.of(TABLE, Coding.fit(TABLE, NUMBERS, CATEGORIES, SCENARIOS))
PARTS = {
    "biases": Biases(),
    "neighbours": Neighbours(30, 2.0, 3.0),
    "companions": Companions(20.0, 2, 100),
    "factors": Factors(4, 5.0, 4),
    "content": Content(50, 0.3, 2.0, 1.0),
}
GIVEN = LevelsGiven()


def oof(rows: Rows):
    parts = list(PARTS.values())
    return out_of_fold(First.fit(rows, parts, GIVEN), rows, parts, GIVEN, 4)


@pytest.mark.parametrize("part", PARTS)
def test_a_row_of_the_history_is_asked_as_if_it_were_not_there(part):
    """Brute force: the same items' side, once with the pair in the history and once with the pair taken out."""
    first = First.fit(ROWS, [PARTS[part]], GIVEN)
    answers, levels = first.past.answers, first.past.levels
    whole = first.features(ROWS)
    for row in (0, 7, 123, 456):
        one = ROWS.take(np.array([row]))
        rest = answers.take(np.arange(len(answers.user_P)) != answers.find(one)[0])
        without = First(Past(rest, levels), first.parts).features(one)
        assert set(without) == set(whole)
        for name, value in without.items():
            np.testing.assert_allclose(whole[name][row], value[0], rtol=2e-3, atol=2e-4, err_msg=name)


def test_no_feature_out_of_fold_knows_the_rows_own_answer():
    before = oof(ROWS)
    row = 17
    turned = replace(ROWS, label_N=ROWS.label_N.copy(), value_N=ROWS.value_N.copy())
    same = (ROWS.user_N == ROWS.user_N[row]) & (ROWS.item_N == ROWS.item_N[row])
    turned.label_N[same], turned.value_N[same] = 1 - turned.label_N[same], 11 - turned.value_N[same]
    after = oof(turned)
    for name, value in before.items():
        np.testing.assert_allclose(after[name][row], value[row], rtol=1e-3, atol=1e-4, err_msg=name)
    others = ROWS.user_N == ROWS.user_N[row]
    assert any(not np.allclose(after[name][others], value[others], atol=1e-3) for name, value in before.items())


def test_levels_are_those_of_the_definition():
    past = First.fit(ROWS, [], GIVEN).past
    row = 5
    user, own = ROWS.user_N[row], past.answers.find(ROWS.take(np.array([row])))[0]
    mine = np.flatnonzero((past.answers.user_P == user) & (np.arange(len(past.answers.user_P)) != own))
    left = past.answers.answer_TP[1, mine] - past.levels.mean_T[1] - past.levels.item_TI[1, past.answers.item_P[mine]]
    asked = past.ask(ROWS)
    assert asked.count_N[row] == len(mine)
    np.testing.assert_allclose(asked.user_TN[1, row], left.sum() / (len(mine) + GIVEN.shrink), rtol=1e-4)


def crossing_tables() -> tuple[Rows, Rows, PointView]:
    """Two kinds of users; what they like in ``big`` says what they like in ``small``, where each is seen twice."""
    draw = np.random.default_rng(3)
    users, taste_U = 200, np.arange(200) % 2
    user = np.concatenate([np.repeat(np.arange(users), 12), np.repeat(np.arange(users), 3)])
    small = np.repeat([0, 1], [users * 12, users * 3])
    item = np.concatenate([np.tile(np.arange(12), users), draw.integers(12, 24, users * 3)])
    label = ((item % 2 == taste_U[user]) ^ (draw.random(len(user)) < 0.1)).astype(float)
    part = np.where((small == 1) & (np.arange(len(user)) % 3 == 0), "test", "train")
    table = pa.table(
        {
            "example_id": np.arange(len(user)).astype(str),
            "user_id": user.astype(str),
            "item_id": item.astype(str),
            "scenario": np.array(["big", "small"])[small],
            "label": label,
            "part": part,
        }
    )
    train = table.filter(pa.array(part == "train"))
    coding = Coding.fit(train, (), (), ("big", "small"))
    rows, test = Rows.of(train, coding), Rows.of(table.filter(pa.array(part == "test")), coding)
    return rows, test, PointView(config_of(), "*", rows, None, 0)


def test_what_users_do_elsewhere_is_found_where_they_are_hardly_known():
    _, test, view = crossing_tables()
    known = known_pointwise(view.config)
    found = {}
    for name in ("neighbours", "neighbours_across", "factors_across", "blend_history", "blend_across"):
        scope = "*" if known[name].pooled else "small"
        found[name] = roc_auc_score(test.label_N, known[name].fit(replace(view, scope=scope)).probability(test))
    assert min(found["neighbours_across"], found["factors_across"], found["blend_across"]) > 0.8
    assert max(found["neighbours"], found["blend_history"]) < found["blend_across"] - 0.05, found


def test_the_reach_history_has_no_feature_from_other_scenarios():
    rows, test, view = crossing_tables()
    contender = known_pointwise(view.config)["blend_history"]
    turned = replace(rows, label_N=np.where(rows.scenario_N == rows.coding.scenario("big"), 1, 0) ^ (rows.label_N > 0))
    turned = replace(turned, label_N=turned.label_N.astype(np.float32))
    one, other = contender.fit(view), contender.fit(replace(view, rows=turned))
    np.testing.assert_array_equal(one.table(test), other.table(test))


def test_words_of_a_title_and_plain_tags_have_a_likeness_each():
    tags = [["comedy", "title:moon"], ["comedy", "title:sun"], ["drama", "title:moon"], ["drama", "title:sea"]]
    table = pa.table(
        {
            "example_id": ["0", "1", "2", "3"],
            "user_id": ["u", "u", "v", "v"],
            "item_id": ["a", "b", "c", "d"],
            "scenario": ["big"] * 4,
            "label": [1.0, 0.0, 1.0, 0.0],
            "tags": pa.array(tags),
        }
    )
    rows = Rows.of(table, Coding.fit(table, (), ()))
    fitted = First.fit(rows, [Content(10, 0.3, 1.0, 1.0)], GIVEN).parts[0]
    alike = dict(zip(fitted.groups, (one.toarray()[1:, 1:] > 0 for one in fitted.alike), strict=True))
    assert sorted(zip(*np.nonzero(alike["tag"]), strict=True)) == [(0, 1), (1, 0), (2, 3), (3, 2)]
    assert sorted(zip(*np.nonzero(alike["title"]), strict=True)) == [(0, 2), (2, 0)]


def test_the_blend_takes_any_contender_as_a_part(tmp_path):
    config = config_of("pointwise.contenders.memory.others=[logistic_joint]", "pointwise.contenders.memory.folds=2")
    blend = known_pointwise(config)["blend_across"]
    fitted = blend.fit(PointView(config, "*", ROWS, None, 0))
    assert "other.logistic_joint" in fitted.names
    fitted.save(tmp_path)
    np.testing.assert_array_equal(type(fitted).load(tmp_path).probability(ROWS), fitted.probability(ROWS))
    unknown = config_of("pointwise.contenders.memory.others=[nobody]", "pointwise.contenders.memory.folds=2")
    with pytest.raises(TrainError, match="nobody"):
        known_pointwise(unknown)["blend_across"].fit(PointView(unknown, "*", ROWS, None, 0))


def test_seeds_share_the_first_levels_and_what_they_said_for_as_long_as_the_rows_are_there():
    rows = ROWS.take(np.arange(len(ROWS)))
    blend = known_pointwise(config_of())["blend_across"]
    one, other = (blend.fit(PointView(config_of(), "*", rows, None, seed)) for seed in (0, 1))
    assert one.firsts is other.firsts
    assert not np.array_equal(one.probability(rows), other.probability(rows))
    assert one.firsts.features(rows) is one.firsts.features(rows)
    kept = weakref.ref(one.firsts)
    del rows, one, other
    gc.collect()
    assert kept() is None
