"""Ranks, cold users and learning curves of declared parts, against loops."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.evaluate.part_units import PartUnits, _without, ranked, with_share
from landbridge.feed.hashing import crc32
from landbridge.lake.lake import Lake
from landbridge.study.parts import PartStudy, _measured

ITEMS = 12


@dataclass(frozen=True)
class Given:
    """Scores as they are given."""

    scores: np.ndarray

    def score(self, states, catalogue):
        return self.scores[: len(states), : len(catalogue.items)].astype(np.float32)


def test_ranks_are_among_what_the_user_does_not_have_and_ties_have_the_mean_one():
    draw = np.random.default_rng(1)
    scores = draw.integers(0, 4, (20, ITEMS)).astype(float)
    had = [draw.choice(np.arange(1, ITEMS + 1), 3, replace=False).tolist() for _ in range(20)]
    wanted = [draw.choice(np.arange(1, ITEMS + 1), 2, replace=False).tolist() for _ in range(20)]
    units = PartUnits(SMALL, states_of(had_of(had, ITEMS)), catalogue_of(ITEMS), had_of(wanted, ITEMS))
    unit, item, rank, score = ranked(Given(scores), units)
    expected = []
    for row in range(20):
        for one in sorted(wanted[row]):
            left = [
                scores[row, i - 1] for i in range(1, ITEMS + 1) if i == one or i not in set(had[row]) - set(wanted[row])
            ]
            value = scores[row, one - 1]
            expected.append((row, one, sum(v > value for v in left) + (sum(v == value for v in left) - 1) / 2, value))
    assert list(zip(unit, item, rank, score, strict=True)) == expected


def test_what_the_catalogue_lacks_comes_behind_all_of_it():
    few = replace(catalogue_of(4), items=np.array([1, 2, 3, 4], np.int32))
    units = PartUnits(SMALL, states_of(had_of([[2], []], ITEMS)), few, had_of([[9], [2]], ITEMS))
    _, _, rank, score = ranked(Given(np.array([[1, 2, 3, 4], [1, 2, 3, 4.0]])), units)
    assert rank.tolist() == [4, 2]
    assert np.isnan(score[0])


def test_of_a_share_of_users_the_scenario_is_learned_and_a_larger_share_holds_a_smaller():
    events = [(user, item, home, UNTIL) for user in range(400) for item, home in ((0, BIG), (1, SMALL), (2, SMALL))]
    log = interactions_of(events, ITEMS)
    kept = []
    for share in (0.1, 0.5, 1.0):
        some = with_share(log, SMALL, share)
        own = some.of_scenario(SMALL)
        assert len(some.of_scenario(BIG)) == 400
        assert (np.unique(own.user, return_counts=True)[1] == 2).all()
        kept.append(set(own.user.tolist()))
        assert abs(len(kept[-1]) / 400 - share) < 0.08
    assert kept[0] < kept[1] < kept[2]


def test_cold_states_hold_the_other_scenarios_only():
    states = states_of(had_of([[1, 2, 3], [4]], ITEMS))
    states.scenario_BL[0, -3] = states.scenario_BL[0, -1] = 1
    cold = _without(states, had_of([[2], [4]], ITEMS))
    assert cold.item_BL[0, -2:].tolist() == [1, 3]
    assert cold.length_B.tolist() == [2, 0]
    assert not cold.item_BL[1].any()
    assert cold.had[0].indices.tolist() == [1, 3]
    assert cold.had[1].nnz == 0


def test_crc32_is_that_of_zlib():
    texts = ["", "a", "train_overlap:17", "test:1", "Käse", "x" * 70]
    assert crc32(pa.array(texts)).tolist() == [zlib.crc32(text.encode()) for text in texts]


def test_ndcg_of_kept_rows_is_that_of_the_lists():
    rows = pa.table(
        {
            "user_id": ["a", "a", "b", "c"],
            "scenario": [SMALL] * 4,
            "window": ["cold"] * 4,
            "rank": [0.0, 20.0, 2.0, 11.0],
        }
    )
    found = _measured(rows, "ndcg", 10)
    gains = np.array([1 / (1 + 1 / np.log2(3)), 1 / np.log2(4), 0])
    assert np.isclose(found.value, gains.mean())
    assert found.user_ids.to_pylist() == ["a", "b", "c"]
    np.testing.assert_allclose(found.influence_U, (gains - gains.mean()) / 3)


@pytest.mark.parametrize(
    ("aim", "part"),
    [(None, "validation"), (SMALL, "validation"), (f"{SMALL}, cold users", "cold"), (f"{BIG}, share 0.1", "0.1")],
)
def test_a_search_is_judged_on_the_part_whose_row_is_aimed_at(aim, part):
    study = {"cold": {"scenario": SMALL}, "shares": [0.01, 0.1], "tune": {"aim": aim}}
    config = config_of(f"study={json.dumps(study)}")
    assert list(PartStudy(config, Lake(config), UNTIL, judge="validation").searched) == [part]
