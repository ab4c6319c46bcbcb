"""What a scenario of rows is: known numbers, no answers, and zeros where nothing is known."""

from dataclasses import replace

import numpy as np
import pytest
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, table_of

from landbridge.feed.rows import Coding, Rows
from landbridge.feed.scenario_rows import ScenarioRows

TABLE = table_of(900, users=40)
ROWS = Rows.of(TABLE, Coding.fit(TABLE, NUMBERS, CATEGORIES, SCENARIOS))
EVERY = ("size", "users", "items")


def test_sizes_are_logarithms_of_rows_users_and_items():
    found = ScenarioRows.fit(ROWS, ["size"]).feature_SF
    counts = [
        [own.num_rows, len(set(own["user_id"].to_pylist())), len(set(own["item_id"].to_pylist()))]
        for own in (TABLE.filter([one == name for one in TABLE["scenario"].to_pylist()]) for name in SCENARIOS)
    ]
    logs = np.log1p(np.array(counts))
    assert logs.std(0)[0] > 0.1
    np.testing.assert_allclose(found[1:], (logs - logs.mean(0)) / np.maximum(logs.std(0), 1e-6), rtol=1e-4, atol=1e-6)
    assert not found[0].any()


def test_each_name_adds_its_columns():
    widths = [ScenarioRows.fit(ROWS, some).width for some in ([], ["size"], ["users"], ["items"], EVERY)]
    assert widths == [0, 3, 2, 2 * len(NUMBERS), 3 + 2 + 2 * len(NUMBERS)]


def test_answers_are_not_read():
    blind = replace(ROWS, label_N=1 - ROWS.label_N, value_N=np.full(len(ROWS), np.nan, np.float32))
    np.testing.assert_array_equal(ScenarioRows.fit(blind, EVERY).feature_SF, ScenarioRows.fit(ROWS, EVERY).feature_SF)


@pytest.mark.parametrize("left", ["big", "nobody"])
def test_a_scenario_without_rows_is_the_mean_one(left):
    rows = ROWS.of_scenario(left)
    found = ScenarioRows.fit(rows, EVERY).feature_SF
    assert np.isfinite(found).all()
    assert not found[[code for code in range(4) if code != ROWS.coding.scenario(left)]].any()
