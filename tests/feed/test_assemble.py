import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from tests.lakes import examples_of

from landbridge.errors import DataError
from landbridge.feed.assemble import Assembler
from landbridge.feed.item_features import Snapshot


@pytest.fixture(scope="module")
def table(lake):
    return examples_of(lake)


@pytest.fixture(scope="module")
def states(assembler, table):
    return assembler.states(table, "France")


def test_the_newest_event_is_at_the_right_and_padding_is_zero(states, examples, assembler):
    width = assembler.history
    lengths = {len(row["history"]) for row in examples}
    assert {0, width} <= lengths
    for row, example in enumerate(examples):
        events = example["history"]
        pad = width - len(events)
        assert states.length_B[row] == len(events)
        items = assembler.vocabulary.decode("item_id", states.item_BL[row]).to_pylist()
        assert items == [None] * pad + [event["item_id"] for event in events]
        ages = [(example["ts"] - event["ts"]).total_seconds() / 86400 for event in events]
        np.testing.assert_allclose(states.age_BL[row], [0.0] * pad + ages, rtol=1e-5)
        assert states.outcome_BL[row].tolist() == [0.0] * pad + [event["outcome"] for event in events]
        assert (
            (states.scenario_BL[row] > 0).tolist()
            == (states.type_BL[row] > 0).tolist()
            == [False] * pad + [True] * len(events)
        )


def test_a_longer_history_loses_its_oldest(assembler, states, table, examples):
    short = Assembler(
        assembler.vocabulary,
        3,
        assembler.user_names,
        assembler.user_mean_F,
        assembler.user_scale_F,
        assembler.items,
        assembler.item_mean_G,
        assembler.item_scale_G,
        assembler.scenarios,
    )
    cut = short.states(table, "France")
    np.testing.assert_array_equal(cut.item_BL, states.item_BL[:, -3:])
    np.testing.assert_array_equal(cut.length_B, np.minimum(states.length_B, 3))


def test_a_slice_of_a_table_gives_the_same_rows(assembler, states, table):
    part = assembler.states(table.slice(100, 50), "France")
    whole = states.take(np.arange(100, 150))
    for name in ("item_BL", "age_BL", "user_BF", "length_B"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
    assert part.user_ids.equals(whole.user_ids)


def test_user_features_have_mean_zero_over_the_training_days(assembler, states, examples, days):
    training = np.array([row["ds"] <= days.train_until for row in examples])
    np.testing.assert_allclose(states.user_BF[training].mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(states.user_BF[training].std(axis=0), 1.0, atol=1e-3)


def test_scaling_does_not_know_later_days(lake, config, days, assembler):
    early = Assembler.fit(lake, config, days.train_until, days.train_until)
    for name in ("user_mean_F", "user_scale_F", "item_mean_G", "item_scale_G"):
        np.testing.assert_array_equal(getattr(early, name), getattr(assembler, name))


def test_the_state_of_a_night_knows_what_users_have(lake, assembler):
    table = lake.read("user_state")
    states = assembler.states(table, "Germany")
    assert states.scenario == assembler.vocabulary.id("scenario", "Germany")
    for row, had in enumerate(table["had"].to_pylist()):
        assert sorted(assembler.vocabulary.decode("item_id", states.had[row].indices).to_pylist()) == had
    assert set(states.had.data) == {1.0}


def test_whoever_is_unknown_has_an_empty_state(assembler, days):
    states = assembler.unknown("France", 2)
    assert len(states) == 2
    assert states.length_B.tolist() == [0, 0]
    assert not states.item_BL.any()
    assert not states.user_BF.any()
    assert states.had.nnz == 0
    assert states.had.shape == (2, assembler.vocabulary.size("item_id"))
    assert states.own_only().length_B.tolist() == [0, 0]
    assert assembler.states(pa.table({"history": states_history(3)}), "nowhere", ts=np.zeros(3, np.int64)).scenario == 0


def states_history(rows):
    event = pa.struct(
        [
            ("item_id", pa.string()),
            ("scenario", pa.string()),
            ("event_type", pa.string()),
            ("outcome", pa.float64()),
            ("ts", pa.timestamp("us", tz="UTC")),
        ]
    )
    return pa.array([None] * rows, pa.list_(event))


def test_own_only_keeps_the_events_of_the_scenario_in_order(table, assembler):
    states = assembler.states(table, "Germany")
    own = states.own_only()
    germany = assembler.vocabulary.id("scenario", "Germany")
    mixed = 0
    for row in range(len(states)):
        kept = [
            item for item, where in zip(states.item_BL[row], states.scenario_BL[row], strict=True) if where == germany
        ]
        mixed += 0 < len(kept) < states.length_B[row]
        assert own.item_BL[row].tolist() == [0] * (assembler.history - len(kept)) + kept
        assert own.length_B[row] == len(kept)
        ages = own.age_BL[row][assembler.history - len(kept) :]
        assert np.all(np.diff(ages) <= 0)
    assert mixed > 0
    assert own.had is states.had


def test_a_catalogue_alone_has_no_figures_of_other_scenarios(assembler, days):
    catalogue = assembler.catalogue("France", np.array([5, 3, 3, 9], np.int32), days.ds)
    assert catalogue.items.tolist() == [3, 5, 9]
    half = assembler.n_item_features // 2
    own = catalogue.own_only()
    np.testing.assert_array_equal(own.feature_CG[:, :half], catalogue.feature_CG[:, :half])
    assert catalogue.feature_CG[:, half:].any()
    assert not own.feature_CG[:, half:].any()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_saved_assembler_is_loaded_as_it_was(assembler, table, days, tmp_path, frozen):
    kept = assembler.frozen(days.ds) if frozen else assembler
    kept.save(tmp_path)
    loaded = Assembler.load(tmp_path)
    assert loaded.digest == kept.digest
    assert isinstance(loaded.items, Snapshot) == frozen
    before, after = kept.states(table, "France"), loaded.states(table, "France")
    for name in ("item_BL", "scenario_BL", "type_BL", "outcome_BL", "age_BL", "length_B", "user_BF"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    items = np.arange(1, 40, dtype=np.int32)
    np.testing.assert_array_equal(
        kept.catalogue("France", items, days.ds).feature_CG, loaded.catalogue("France", items, days.ds).feature_CG
    )


def test_the_same_content_is_saved_as_the_same_bytes(assembler, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assembler.save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_frozen_assembler_is_small_and_answers_the_same(assembler, days):
    frozen = assembler.frozen(days.ds + dt.timedelta(days=1))
    items = np.arange(1, 50, dtype=np.int32)
    expected = assembler.catalogue("Germany", items, days.ds + dt.timedelta(days=1)).feature_CG
    np.testing.assert_array_equal(frozen.catalogue("Germany", items, None).feature_CG, expected)
    assert frozen.items.key_K.size < assembler.items.slot_R.size


def test_a_folder_without_an_assembler_says_so(tmp_path):
    with pytest.raises(DataError, match="holds no readable assembler"):
        Assembler.load(tmp_path)


def test_a_missing_column_is_named(assembler):
    with pytest.raises(DataError, match="the column history is missing"):
        assembler.states(pa.table({"user_id": ["a"]}), "France", ts=np.zeros(1, np.int64))
