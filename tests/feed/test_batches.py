import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lakes import SCENARIOS, examples_of

from landbridge.errors import ConfigError, DataError
from landbridge.feed.batches import Loader
from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.materialise import SHARDS, materialise
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Store

SOURCE = SCENARIOS[0]


@pytest.fixture(scope="module")
def distribution(assembler, config, days):
    return Distribution.fit(
        assembler.items, config.negatives, assembler.vocabulary.id("scenario", SOURCE), days.train_until
    )


@pytest.fixture(scope="module")
def make(stores, assembler, distribution):
    """Return the loaders of all ranks."""

    def loaders(world, scenario=SOURCE, batch=64, since=None, until=None, **other):
        return [
            Loader(store.shards(scenario, since, until), assembler, distribution, batch, 7, **other)
            for store in stores[world]
        ]

    return loaders


def seen(batches):
    """The examples of batches with weight."""
    return [value for batch in batches for value in batch.example_B[batch.weight_B > 0].tolist()]


def expected(examples, scenario, since=None, until=None):
    rows = [
        row["example_id"]
        for row in examples
        if row["scenario"] == scenario
        and (since is None or row["ds"] > since)
        and (until is None or row["ds"] <= until)
    ]
    return sorted(hash_strings(pa.array(rows, pa.string())).tolist())


def test_one_user_is_spread_over_shards_by_the_moments_of_his_baskets(assembler, lake, days):
    """Else a scenario whose customers are few takes as many steps as the largest of them needs."""
    arrays = materialise(lake, assembler, None, days.ds, range(SHARDS))
    busiest = np.bincount(arrays["h.user"]).argmax()
    mine = arrays["h.user"] == busiest
    assert len(set(arrays["h.shard"][mine])) > 1
    moments = {(ts, shard) for ts, shard in zip(arrays["h.ts"][mine], arrays["h.shard"][mine], strict=True)}
    assert len(moments) == len(set(arrays["h.ts"][mine]))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SCENARIOS),
    st.integers(-3, 30),
    st.integers(0, 32),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 12),
    st.integers(0, 3),
)
def test_ranks_make_equal_steps_and_share_every_example_once(
    make, examples, days, scenario, start, length, world, part, epoch
):
    since = days.first + dt.timedelta(days=start)
    until = since + dt.timedelta(days=length)
    loaders = make(world, scenario, part * 8, since, until)
    assert len({loader.steps for loader in loaders}) == 1
    epochs = [list(loader.epoch(epoch)) for loader in loaders]
    assert {len(batches) for batches in epochs} == {loaders[0].steps}
    assert sorted(value for batches in epochs for value in seen(batches)) == expected(examples, scenario, since, until)
    for step in zip(*epochs, strict=True):
        assert {batch.total for batch in step} == {float(sum(batch.weight_B.sum() for batch in step))}
        assert all(len(batch.item_B) >= 1 for batch in step)


@pytest.mark.parametrize("world", [2, 4, 8])
def test_the_global_batches_do_not_depend_on_the_number_of_processes(make, world):
    alone = list(make(1, negatives=3)[0].epoch(2))
    together = [list(loader.epoch(2)) for loader in make(world, negatives=3)]
    for step, batch in enumerate(alone):
        parts = [batches[step] for batches in together]
        assert sorted(seen([batch])) == sorted(seen(parts))
        negatives = {
            int(e): n.tolist() for part in parts for e, n in zip(part.example_B, part.negative_BN, strict=True)
        }
        for example, items in zip(batch.example_B.tolist(), batch.negative_BN.tolist(), strict=True):
            assert negatives[example] == items
        assert {part.total for part in parts} == {batch.total}


def test_an_epoch_is_a_pure_function_of_seed_and_number(make):
    loader = make(1)[0]
    first, again, other = seen(loader.epoch(0)), seen(loader.epoch(0)), seen(loader.epoch(1))
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)


def test_a_batch_says_what_the_table_says(make, examples, assembler, lake):
    rows = dict(zip(hash_strings(pa.array([row["example_id"] for row in examples])).tolist(), examples, strict=True))
    first = {}
    for row in sorted(examples, key=lambda row: row["ts"]):
        if row["had"]:
            first.setdefault((row["user_id"], row["item_id"]), row["ts"])
    table = examples_of(lake)
    whole = assembler.states(table, SOURCE)
    place = {row["example_id"]: number for number, row in enumerate(examples)}
    news = set()
    for batch in make(1, negatives=2)[0].epoch(0):
        assert len(batch.states) <= len(batch.item_B)
        for position, example in enumerate(batch.example_B.tolist()):
            row, state = rows[example], batch.pointer_B[position]
            at = place[row["example_id"]]
            np.testing.assert_array_equal(batch.states.item_BL[state], whole.item_BL[at])
            np.testing.assert_array_equal(batch.states.user_BF[state], whole.user_BF[at])
            np.testing.assert_array_equal(batch.states.age_BL[state], whole.age_BL[at])
            assert batch.item_B[position] == assembler.vocabulary.id("item_id", row["item_id"])
            assert batch.outcome_B[position] == row["outcome"]
            assert batch.had_B[position] == row["had"]
            assert batch.day_B[position] == days_since_epoch(row["ds"])
            assert batch.new_B[position] == (first.get((row["user_id"], row["item_id"]), row["ts"]) >= row["ts"])
            news.add(bool(batch.new_B[position]))
        items = np.concatenate([batch.item_B[:, None], batch.negative_BN], axis=1)
        np.testing.assert_array_equal(
            batch.feature_BNG, assembler.item_features(items, batch.states.scenario, batch.day_B[:, None])
        )
    assert news == {True, False}


def test_examples_of_one_moment_share_a_history(make):
    batches = list(make(1, batch=256)[0].epoch(0))
    assert sum(len(batch.states) for batch in batches) < 0.6 * sum(len(batch.item_B) for batch in batches)


def test_the_control_sees_nothing_of_other_scenarios(make, assembler):
    half, foreign = assembler.n_item_features // 2, 0
    both = zip(make(1, own_only=True, negatives=2)[0].epoch(0), make(1, negatives=2)[0].epoch(0), strict=True)
    for own, all_ in both:
        assert set(np.unique(own.states.scenario_BL)) <= {0, own.states.scenario}
        foreign += int((all_.states.scenario_BL > 0).sum() - (own.states.scenario_BL > 0).sum())
        assert not own.feature_BNG[..., half:].any()
        np.testing.assert_array_equal(own.feature_BNG[..., :half], all_.feature_BNG[..., :half])
        np.testing.assert_array_equal(own.negative_BN, all_.negative_BN)
    assert foreign > 0


def test_the_loader_knows_what_each_history_had_by_then(make, examples, assembler):
    loader = make(1)[0]
    batch = next(loader.epoch(0))
    items = np.arange(assembler.vocabulary.size("item_id"), dtype=np.int32)
    mask = loader.had(batch, items)
    rows = dict(zip(hash_strings(pa.array([row["example_id"] for row in examples])).tolist(), examples, strict=True))
    for position, example in enumerate(batch.example_B.tolist()):
        row = rows[example]
        had = {
            assembler.vocabulary.id("item_id", other["item_id"])
            for other in examples
            if other["user_id"] == row["user_id"] and other["had"] and other["ts"] <= row["ts"]
        }
        assert set(items[mask[batch.pointer_B[position]]].tolist()) == had


def test_a_store_is_read_once_and_later_days_do_not_touch_it(lake, assembler, days):
    first = Store.open(lake, assembler, None, days.train_until, scenarios=[SOURCE])
    made = (first.folder / "e.item.npy").stat().st_mtime_ns
    again = Store.open(lake, assembler, None, days.train_until, scenarios=[SOURCE])
    assert again.folder == first.folder
    assert (again.folder / "e.item.npy").stat().st_mtime_ns == made
    assert Store.open(lake, assembler, None, days.ds, scenarios=[SOURCE]).folder != first.folder
    with pytest.raises(DataError, match="the examples of France were not read"):
        first.shards("France")


def test_what_was_used_longest_ago_is_pruned(lake, assembler, days, monkeypatch):
    monkeypatch.setattr("landbridge.feed.shards._KEEP", 2)
    kept = [
        Store.open(lake, assembler, None, days.first + dt.timedelta(days=n), scenarios=["France"]) for n in range(3)
    ]
    left = set(kept[0].folder.parent.iterdir())
    assert kept[2].folder in left
    assert kept[0].folder not in left
    assert len(left) == 2
    assert kept[0].arrays["e.item"].sum() >= 0


def test_ranks_that_would_differ_are_refused(lake, assembler, days, stores, distribution):
    with pytest.raises(
        ConfigError, match=r"train.processes 3 does not divide the 8 virtual shards.*set it to 1, 2, 4, 8"
    ):
        Store.open(lake, assembler, None, days.ds, 0, 3)
    with pytest.raises(ConfigError, match="rank 2 is not one of 2"):
        Store.open(lake, assembler, None, days.ds, 2, 2)
    with pytest.raises(ConfigError, match=r"batch 100 is not a multiple of the 8 virtual shards.*set it to 96"):
        Loader(stores[1][0].shards(SOURCE), assembler, distribution, 100, 1)
