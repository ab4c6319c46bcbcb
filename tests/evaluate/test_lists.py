"""What lists are like, by hand and against loops."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from landbridge.evaluate.lists import Known, coverage

HAD = sp.csr_matrix(
    np.array(
        [  # items 1 to 4, as ids; nobody has 4
            [0, 1, 1, 0, 0],
            [0, 1, 1, 0, 0],
            [0, 1, 0, 1, 0],
        ],
        np.float32,
    )
)


def test_what_everybody_has_is_no_news_and_what_nobody_has_is_the_most():
    known = Known(HAD)
    np.testing.assert_allclose(known.counts[1:], [3, 2, 1, 0])
    lists = np.array([[1, 4], [2, 0], [0, 0]], np.int32)
    np.testing.assert_allclose(known.novelty(lists), [1, -np.log2(3 / 4), np.nan])


def test_diversity_is_one_less_the_mean_cosine_of_two_items():
    draw = np.random.default_rng(2)
    had = sp.csr_matrix((draw.random((40, 13)) < 0.3).astype(np.float32) * (np.arange(13) > 0))
    lists = np.array([draw.choice(np.arange(1, 13), 5, replace=False) for _ in range(20)], np.int32)
    lists[3, 2:], lists[4, 1:] = 0, 0  # two items, and one
    dense = had.toarray()
    expected = []
    for row in lists:
        items = row[row > 0]
        likes = [
            dense[:, one] @ dense[:, other] / np.sqrt(dense[:, one].sum() * dense[:, other].sum())
            for place, one in enumerate(items)
            for other in items[:place]
        ]
        expected.append(1 - np.mean(likes) if likes else np.nan)
    np.testing.assert_allclose(Known(had).diversity(lists), expected, atol=1e-6)


def test_two_that_the_same_users_have_are_alike_and_what_nobody_has_is_like_nothing():
    known = Known(HAD)
    np.testing.assert_allclose(
        known.diversity(np.array([[2, 3], [1, 2], [3, 4]], np.int32)), [1, 1 - 2 / 6**0.5, 1], atol=1e-6
    )


def test_coverage_counts_each_item_of_any_list_once():
    assert coverage(np.array([[1, 2], [2, 0]], np.int32), 8) == 2 / 8
    assert np.isnan(coverage(np.zeros((1, 2), np.int32), 0))
