import datetime as dt
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from landbridge.config.schema import Negatives
from landbridge.errors import DataError
from landbridge.feed.batches import Loader
from landbridge.feed.hashing import hash_strings, splitmix64
from landbridge.feed.negatives import Distribution, draw, shared_negatives

TEN = Distribution(
    np.arange(1, 11, dtype=np.int32), np.cumsum([0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05])
)


def nobody(rows, items):
    return np.zeros(len(rows), np.bool_)


def examples_of(count):
    return splitmix64(np.arange(count))


@pytest.fixture(scope="module")
def distribution(assembler, config, days):
    return Distribution.fit(
        assembler.items, config.negatives, assembler.vocabulary.id("scenario", "United Kingdom"), days.train_until
    )


def test_splitmix_is_the_published_one():
    """First outputs of the reference code for the seed 1234567."""
    golden = 0x9E3779B97F4A7C15
    counters = np.array([(1234567 + step * golden) % 2**64 for step in range(3)], np.uint64)
    assert splitmix64(counters).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_the_distribution_is_counts_to_a_power_and_a_uniform_share(assembler, distribution, config, days):
    ids, counts = assembler.items.counts(
        assembler.vocabulary.id("scenario", "United Kingdom"), days.train_until + dt.timedelta(days=1)
    )
    power = counts**config.negatives.power
    expected = (1 - config.negatives.uniform) * power / power.sum() + config.negatives.uniform / len(ids)
    np.testing.assert_array_equal(distribution.items, ids)
    np.testing.assert_allclose(np.exp(distribution.log_q(ids)), expected, rtol=1e-5)


def test_draws_follow_the_distribution():
    items, weight = draw(TEN, nobody, 1, 0, examples_of(20_000), np.zeros(20_000, np.int32), 3)
    assert weight.all()
    observed = np.bincount(items.ravel(), minlength=11)[1:]
    assert chisquare(observed, np.diff(TEN.cdf, prepend=0) * observed.sum()).pvalue > 1e-3
    for column in range(3):
        assert (
            chisquare(np.bincount(items[:, column], minlength=11)[1:], np.diff(TEN.cdf, prepend=0) * 20_000).pvalue
            > 1e-3
        )


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_batch_mates_do_not_change_what_is_drawn(order, cut):
    hashes, own = examples_of(12), np.arange(12, dtype=np.int32) % 10 + 1

    def odd(rows, items):
        return items % 2 == 1

    whole = draw(TEN, odd, 3, 1, hashes, own, 4)[0]
    chosen = np.array(order[:cut])
    np.testing.assert_array_equal(draw(TEN, odd, 3, 1, hashes[chosen], own[chosen], 4)[0], whole[chosen])


def test_seed_epoch_and_example_all_matter():
    own = np.zeros(500, np.int32)
    first = draw(TEN, nobody, 1, 0, examples_of(500), own, 4)[0]
    np.testing.assert_array_equal(first, draw(TEN, nobody, 1, 0, examples_of(500), own, 4)[0])
    for other in (
        draw(TEN, nobody, 2, 0, examples_of(500), own, 4)[0],
        draw(TEN, nobody, 1, 1, examples_of(500), own, 4)[0],
        draw(TEN, nobody, 1, 0, examples_of(1000)[500:], own, 4)[0],
    ):
        assert 0.05 < (first == other).mean() < 0.35


def test_who_has_everything_gets_weight_zero():
    items, weight = draw(TEN, lambda rows, items: rows == 0, 1, 0, examples_of(2), np.zeros(2, np.int32), 5)
    assert items.shape == (2, 5)
    assert weight.tolist() == [[0.0] * 5, [1.0] * 5]


def test_an_empty_catalogue_gives_nothing():
    none = Distribution(np.empty(0, np.int32), np.empty(0))
    assert draw(none, nobody, 1, 0, examples_of(2), np.zeros(2, np.int32), 3)[1].sum() == 0
    assert shared_negatives(none, 1, 0, 0, 4)[0].tolist() == [0] * 4


def test_negatives_leave_out_what_the_user_had_by_then_only(
    lake, assembler, config, days, examples, stores, distribution
):
    """What a user buys later may be drawn: leaving it out would tell the model the future."""
    vocabulary = assembler.vocabulary
    first = defaultdict(dict)
    for row in sorted(examples, key=lambda row: row["ts"]):
        if row["had"]:
            first[row["user_id"]].setdefault(vocabulary.id("item_id", row["item_id"]), row["ts"])
    known = {int(value): row for value, row in zip(hashed(examples), examples, strict=True)}
    later = drawn = 0
    for epoch in range(4):
        for batch in Loader(stores[1][0].shards("United Kingdom"), assembler, distribution, 64, 5, 4).epoch(epoch):
            for example, items, weights in zip(
                batch.example_B.tolist(), batch.negative_BN, batch.negative_weight_BN, strict=True
            ):
                row = known[example]
                for item, weight in zip(items.tolist(), weights.tolist(), strict=True):
                    had = first[row["user_id"]].get(item)
                    if weight:
                        assert had is None or had > row["ts"]
                        assert item != vocabulary.id("item_id", row["item_id"])
                        drawn += 1
                        later += had is not None
    assert drawn > 1000
    assert later > 0


def hashed(examples):
    return hash_strings(pa.array([row["example_id"] for row in examples]))


def test_shared_negatives_are_the_steps_own(distribution):
    ids, log_q = shared_negatives(distribution, 1, 0, 0, 64)
    again, _ = shared_negatives(distribution, 1, 0, 0, 64)
    np.testing.assert_array_equal(ids, again)
    np.testing.assert_allclose(log_q, distribution.log_q(ids))
    assert (ids != shared_negatives(distribution, 1, 0, 1, 64)[0]).any()
    many, _ = shared_negatives(TEN, 1, 0, 0, 30_000)
    assert chisquare(np.bincount(many, minlength=11)[1:], np.diff(TEN.cdf, prepend=0) * 30_000).pvalue > 1e-3


def test_a_frozen_assembler_cannot_draw(assembler, days):
    with pytest.raises(DataError, match="frozen"):
        Distribution.fit(assembler.frozen(days.ds).items, Negatives(), 1, days.ds)
