"""Alternating least squares against its formulas, and against Spark's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from tests.boards import SMALL, UNTIL, catalogue_of, config_of, interactions_of, states_of

from landbridge.contenders.als import Als, AlsFitted, half_step
from landbridge.contenders.base import View

USERS, ITEMS, FACTORS = 40, 25, 4
ALPHA, REGULARIZATION = 3.0, 0.2
SETTINGS = {"factors": FACTORS, "iterations": 12, "alpha": ALPHA, "regularization": REGULARIZATION}


@pytest.fixture(scope="module")
def pairs():
    """Users of two tastes; nobody has nothing, and every item is somebody's."""
    draw = np.random.default_rng(7)
    taste = (np.arange(USERS)[:, None] + np.arange(ITEMS)) % 2
    had = draw.random((USERS, ITEMS)) < np.where(taste, 0.35, 0.08)
    had[np.arange(ITEMS), np.arange(ITEMS)] = True
    had[np.arange(USERS), np.arange(USERS) % ITEMS] = True
    return sp.csr_matrix(had.astype(np.float64))


def loss(pairs, user_UF, item_MF):
    """The objective as it is written, over every cell."""
    had = pairs.toarray()
    sure = 1 + ALPHA * had
    weight = (had.sum(1) @ (user_UF**2).sum(1)) + (had.sum(0) @ (item_MF**2).sum(1))
    return (sure * (had - user_UF @ item_MF.T) ** 2).sum() + REGULARIZATION * weight


def fitted_on(pairs) -> AlsFitted:
    """A fit on the pairs as one scenario's log."""
    config = config_of(f"contenders.als={SETTINGS}")
    events = [(int(user), int(item), SMALL, UNTIL) for user, item in zip(*pairs.nonzero(), strict=True)]
    return Als(config.contenders.als).fit(View(config, SMALL, UNTIL, interactions_of(events, ITEMS)))


def test_a_half_step_is_where_the_loss_is_flat(pairs):
    item_MF = np.random.default_rng(1).normal(size=(ITEMS, FACTORS))
    user_UF = half_step(pairs, item_MF, ALPHA, REGULARIZATION)
    least = loss(pairs, user_UF, item_MF)
    for user, factor in ((0, 0), (3, 2), (USERS - 1, FACTORS - 1)):
        for step in (-1e-3, 1e-3):
            moved = user_UF.copy()
            moved[user, factor] += step
            assert loss(pairs, moved, item_MF) > least


def test_who_has_nothing_has_no_vector():
    none = sp.csr_matrix((2, ITEMS))
    assert not half_step(none, np.ones((ITEMS, FACTORS)), ALPHA, REGULARIZATION).any()


def test_scores_are_those_of_a_users_vector_solved_from_what_he_has(pairs):
    fitted = fitted_on(pairs)
    had = sp.hstack([sp.csr_matrix((USERS, 1)), pairs]).tocsr()
    item_MF = fitted.item_MF.astype(np.float64)
    expected = half_step(pairs, item_MF, ALPHA, REGULARIZATION) @ item_MF.T
    np.testing.assert_allclose(fitted.score(states_of(had), catalogue_of(ITEMS)), expected, rtol=1e-4, atol=1e-5)


def test_spark_solves_the_same_equations_and_ends_as_low(spark, pairs):
    from pyspark.ml.recommendation import ALS

    rows = [(int(user), int(item), 1.0) for user, item in zip(*pairs.nonzero(), strict=True)]
    frame = spark.createDataFrame(rows, "user int, item int, rating float")
    model = ALS(
        rank=FACTORS, maxIter=5, regParam=REGULARIZATION, alpha=ALPHA, implicitPrefs=True, seed=5, numUserBlocks=1,
        numItemBlocks=1,
    ).fit(frame)  # fmt: skip
    theirs_UF, theirs_MF = (
        np.array([row["features"] for row in sorted(factors.collect(), key=lambda row: row["id"])], np.float64)
        for factors in (model.userFactors, model.itemFactors)
    )
    # Their users' side is our half step from their items' side.
    np.testing.assert_allclose(half_step(pairs, theirs_MF, ALPHA, REGULARIZATION), theirs_UF, rtol=1e-3, atol=1e-4)
    ours_MF = fitted_on(pairs).item_MF.astype(np.float64)
    ours = loss(pairs, half_step(pairs, ours_MF, ALPHA, REGULARIZATION), ours_MF)
    assert ours == pytest.approx(loss(pairs, theirs_UF, theirs_MF), rel=0.03)
