"""The mean of log odds: what it is, and what cannot be averaged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from tests.points import CATEGORIES, NUMBERS, SCENARIOS, config_of, table_of

from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.simple import known_pointwise
from landbridge.errors import ConfigError
from landbridge.feed.rows import Coding, Rows


def averages(given):
    return config_of(f"pointwise.contenders.averages={given}")


def test_a_mean_is_that_of_its_members_log_odds():
    config, table = averages("{both: [logistic_joint, trees_joint]}"), table_of(400)
    rows = Rows.of(table, Coding.fit(table, NUMBERS, CATEGORIES, SCENARIOS))
    view, known = PointView(config, "*", rows, None, 0), known_pointwise(config)
    one, other = (known[name].fit(view).probability(rows) for name in ("logistic_joint", "trees_joint"))
    assert known["both"].crosses
    assert known["both"].pooled
    assert not known["both"].seeded
    found = known["both"].fit(view).probability(rows)
    np.testing.assert_allclose(found, expit((logit(one) + logit(other)) / 2), rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{mean: [logistic, tree]}", "there is no contender tree; these can be averaged: logistic"),
        ("{mean: [logistic, trees_joint]}", "trees_joint learned from all scenarios, the others did not"),
        ("{mean: [logistic, logistic]}", "two or more different contenders"),
        ("{trees: [logistic, trees]}", "has this name already"),
    ],
)
def test_what_cannot_be_averaged_is_refused_with_its_key(given, said):
    with pytest.raises(ConfigError, match=r"pointwise\.contenders\.averages\.(mean|trees): ") as error:
        known_pointwise(averages(given))
    assert said in str(error.value)
