import numpy as np
import pyarrow as pa
import pytest

from landbridge.errors import DataError
from landbridge.feed.vocabulary import Vocabulary


def rows(*triples):
    field, value, number = zip(*triples, strict=True)
    return pa.table({"field": field, "value": value, "id": pa.array(number, pa.int64())})


VOCABULARY = Vocabulary.of(
    rows(("item_id", "b", 1), ("item_id", "a", 3), ("scenario", "x", 1), ("event_type", "buy", 1))
)


def test_what_is_encoded_decodes_to_itself_and_the_unknown_is_zero():
    ids = VOCABULARY.encode("item_id", pa.array(["a", "b", "nobody", None, "a"]))
    assert ids.tolist() == [3, 1, 0, 0, 3]
    assert ids.dtype == np.int32
    assert VOCABULARY.decode("item_id", ids).to_pylist() == ["a", "b", None, None, "a"]
    assert VOCABULARY.encode("item_id", pa.chunked_array([["a"], ["b"]])).tolist() == [3, 1]


def test_an_id_that_nobody_has_leaves_room_but_matches_nothing():
    assert VOCABULARY.size("item_id") == 4
    assert VOCABULARY.values("item_id").to_pylist() == ["b", None, "a"]
    assert VOCABULARY.encode("item_id", pa.array([None, ""], pa.string())).tolist() == [0, 0]


def test_a_saved_vocabulary_is_read_as_it_was(tmp_path):
    VOCABULARY.save(tmp_path)
    read = Vocabulary.read(tmp_path)
    assert read.digest == VOCABULARY.digest
    assert read.values("item_id").to_pylist() == ["b", None, "a"]


def test_one_id_for_two_values_is_refused():
    with pytest.raises(DataError, match="the ids of item_id are not distinct"):
        Vocabulary.of(rows(("item_id", "b", 1), ("item_id", "a", 1)))


def test_ids_are_those_of_the_table(lake):
    vocabulary = Vocabulary.load(lake)
    for row in lake.read("vocabulary").to_pylist():
        assert vocabulary.id(row["field"], row["value"]) == row["id"]


def test_a_field_that_does_not_exist_is_named():
    with pytest.raises(DataError, match="no field colour; fields: item_id"):
        VOCABULARY.values("colour")
