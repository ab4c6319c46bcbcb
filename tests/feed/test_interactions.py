import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from landbridge.feed.interactions import Interactions, days_since_epoch


@pytest.fixture(scope="module")
def interactions(lake, assembler, days):
    return Interactions.read(lake, assembler.vocabulary, days.ds)


def test_every_example_is_there_once_in_order(interactions, examples, assembler):
    decode = assembler.vocabulary.decode
    users = interactions.user_ids.take(pa.array(interactions.user)).to_pylist()
    found = sorted(
        zip(
            users,
            interactions.ts.tolist(),
            decode("item_id", interactions.item).to_pylist(),
            decode("scenario", interactions.scenario).to_pylist(),
            interactions.had.tolist(),
            strict=True,
        )
    )
    expected = sorted(
        (row["user_id"], int(row["ts"].timestamp() * 1e6), row["item_id"], row["scenario"], row["had"])
        for row in examples
    )
    assert found == expected
    keys = list(zip(interactions.user.tolist(), interactions.ts.tolist(), interactions.item.tolist(), strict=True))
    assert keys == sorted(keys)


def test_before_ends_the_day_before(interactions, examples, days):
    before = interactions.before(days.train_until)
    assert len(before) == sum(row["ds"] < days.train_until for row in examples)
    assert before.day.max() == days_since_epoch(days.train_until - dt.timedelta(days=1))


def test_the_matrix_has_a_one_for_each_pair_that_is_had(interactions, examples, assembler):
    matrix = interactions.of_scenario("Germany").matrix()
    pairs = {(row["user_id"], row["item_id"]) for row in examples if row["had"] and row["scenario"] == "Germany"}
    assert matrix.nnz == len(pairs) > 0
    assert matrix.shape == (len(interactions.user_ids), assembler.vocabulary.size("item_id"))
    assert matrix.dtype == np.float32
    assert set(matrix.data) == {1.0}
    user, item = next(iter(pairs))
    assert matrix[interactions.codes(pa.array([user]))[0], assembler.vocabulary.id("item_id", item)] == 1.0


def test_the_catalogue_holds_what_had_an_event_before(interactions, examples, assembler, days):
    items = {row["item_id"] for row in examples if row["scenario"] == "France" and row["ds"] < days.train_until}
    catalogue = interactions.catalogue("France", days.train_until)
    assert set(assembler.vocabulary.decode("item_id", catalogue).to_pylist()) == items
    assert np.all(np.diff(catalogue) > 0)


def test_users_can_be_chosen_and_the_stranger_has_no_code(lake, assembler, days):
    few = Interactions.read(lake, assembler.vocabulary, days.ds, users=pc.field("user_id").isin(["u001", "u002"]))
    assert few.user_ids.to_pylist() == ["u001", "u002"]
    assert few.codes(pa.array(["u002", "u003"])).tolist() == [1, -1]


def test_no_examples_are_no_error(lake, assembler, days):
    none = Interactions.read(lake, assembler.vocabulary, days.first - dt.timedelta(days=1))
    assert len(none) == 0
    assert none.matrix().shape == (0, assembler.vocabulary.size("item_id"))
