"""Words of items: as of a day, common enough to tell something."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from tests.boards import config_of
from tests.lakes import tiny_config, tiny_lake

from landbridge.errors import ConfigError
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.words import Words, words_of

FIRST, LATER = dt.date(2011, 1, 1), dt.date(2011, 2, 1)


def words(*rows):
    """(item id, day, text), by item and day."""
    item, day, text = zip(*rows, strict=True)
    days = np.array([days_since_epoch(one) for one in day], np.int32)
    return Words(np.array(item, np.int32), days, text, max(item) + 1)


def test_an_item_has_the_words_of_its_newest_text_of_the_day():
    some = words((1, FIRST, "red cup"), (1, LATER, "blue cup"), (2, FIRST, "red bowl"), (3, LATER, "blue bowl"))
    early, late = some.as_of(FIRST), some.as_of(LATER)
    assert early.toarray().tolist() == [[0], [1], [1], [0]]  # "red", which two items have
    assert late.shape == (4, 2)
    assert (late[1] @ late[3].T).toarray() == 1  # both blue
    assert (late[1] @ late[2].T).toarray() == 0


def test_where_no_word_is_common_there_are_none():
    assert words((1, FIRST, "red"), (2, FIRST, "blue")).as_of(FIRST).shape == (3, 0)
    assert words((1, LATER, "red"), (2, LATER, "red")).as_of(FIRST).shape == (3, 0)


def test_texts_are_read_where_a_contender_reads_them(tmp_path):
    config = tiny_config(tmp_path, "contenders.content={}")
    lake = tiny_lake(tmp_path, config)
    vocabulary = Vocabulary.load(lake)
    found = words_of(lake, vocabulary, config)
    names = vocabulary.values("item_id")
    known = {row["item_id"]: row["title"] for row in lake.read("items").to_pylist()}
    assert {names[int(item) - 1].as_py() for item in found.item_N} == set(known) & set(names.to_pylist())
    for item, text in zip(found.item_N, found.text_N, strict=True):
        assert known[names[int(item) - 1].as_py()] == text
    assert words_of(lake, vocabulary, config_of()) is None
    wrong = tiny_config(tmp_path, "contenders.content={columns: [brand]}")
    with pytest.raises(ConfigError, match=r"brand is no attribute of items; those: title"):
        words_of(lake, vocabulary, wrong)
