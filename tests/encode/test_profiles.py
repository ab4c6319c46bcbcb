"""The texts of users: what they are made of, whose become vectors anew, and what a chat model is asked about them."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from tests.encode.endpoint import answer, serving
from tests.encode.titles import ON, TITLES, vector_of
from tests.logs import day

from landbridge.config.text import Encode
from landbridge.encode.profiles import profiles_of
from landbridge.encode.step import ENCODE
from landbridge.lake.arrow import arrow_schema

MONDAY = dt.datetime(2011, 3, 7, 9)


def profiles(spark, histories, last=3, most_characters=100):
    """The texts of users with histories of item ids, oldest first; the text of an item is its id in words."""
    kind = "user_id string, history array<struct<item_id: string, scenario: string, ts: timestamp>>"
    rows = [
        (user, [(item, scenario, MONDAY + dt.timedelta(hours=hour)) for hour, (item, scenario) in enumerate(events)])
        for user, events in histories.items()
    ]
    texts = spark.createDataFrame([(name, f"text of {name}") for name in "abcde"], "item_id string, text string")
    found = profiles_of(spark.createDataFrame(rows, kind), texts, last, most_characters).collect()
    return {row["user_id"]: row for row in found}


def test_a_text_names_the_last_items_of_all_scenarios_once_each_the_newest_first(spark):
    found = profiles(
        spark,
        {
            "one": [("a", "x"), ("b", "y"), ("a", "y"), ("c", "x"), ("a", "x"), ("d", "y")],
            "other": [("c", "z"), ("a", "z"), ("d", "z")],
            "same": [("c", "x"), ("a", "y"), ("d", "x")],
            "without": [],
            "unknown": [("nameless", "x")],
        },
    )
    assert set(found) == {"one", "other", "same"}
    assert found["one"]["text"] == "text of d; text of a; text of c"
    assert found["one"]["text_hash"] == found["other"]["text_hash"] == found["same"]["text_hash"]
    assert found["one"]["since"] == MONDAY + dt.timedelta(hours=5)


def test_what_is_too_long_loses_its_oldest_items(spark):
    events = [(item, "x") for item in "abcde"]
    assert profiles(spark, {"one": events}, last=5, most_characters=20)["one"]["text"] == "text of e; text of d"


def remember(shop, number, histories):
    """Write what featurize knows of users at the end of a day: histories of item ids, oldest first, by scenario."""
    rows = [
        {
            "ds": day(number),
            "user_id": user,
            "ts": dt.datetime.combine(day(number + 1), dt.time(), dt.UTC),
            "scenarios": [scenario],
            "had": sorted(items),
            "history": [
                {"item_id": item, "scenario": scenario, "event_type": "purchase", "outcome": 1.0, "ts": moment}
                for item, moment in zip(items, moments(), strict=False)
            ],
        }
        for (user, scenario), items in histories.items()
    ]
    schema = arrow_schema(shop.lake.contract("user_state"))
    shop.lake.append("user_state", pa.Table.from_pylist(rows, schema=schema), "test")


def moments():
    return (MONDAY.replace(tzinfo=dt.UTC) + dt.timedelta(minutes=minute) for minute in range(100))


def test_users_of_two_scenarios_with_the_same_items_meet_and_only_who_did_something_new_is_encoded_again(encoded):
    kettle, mug, tea = TITLES
    remember(encoded, 0, {("1", "Germany"): [kettle, mug], ("2", "France"): [tea, kettle, mug]})
    remember(encoded, 1, {("1", "Germany"): [kettle, mug, tea], ("2", "France"): [tea, kettle, mug]})
    users = "encode.users={last: 2}"
    assert encoded.with_config(ON, users).run(day(0), ENCODE).notes["encoded_users"] == 2
    before = {row["user_id"]: row for row in encoded.rows("user_vectors")}
    np.testing.assert_array_equal(before["1"]["vector"], before["2"]["vector"])
    np.testing.assert_allclose(before["1"]["vector"], vector_of("Red Mug; Blue Kettle"), atol=2e-5)

    told = {"model": "m", "users": "whom is this?", "budget": 1}
    with serving(lambda text, number: answer("a drinker of tea")) as endpoint:
        shop = encoded.with_config(ON, users, f"encode.rewrite={json.dumps({**told, 'url': endpoint.url})}")
        assert shop.run(day(1), ENCODE).notes["encoded_users"] == 1
    assert endpoint.texts == ["Чайник; Red Mug"]
    after = {row["user_id"]: row for row in shop.rows("user_vectors")}
    assert after["2"] == before["2"]
    np.testing.assert_allclose(after["1"]["vector"], vector_of("a drinker of tea"), atol=2e-5)
    assert after["1"]["ds"] == day(1)


def test_the_texts_of_users_are_rewritten_only_where_they_are_made():
    rewrite = {"url": "http://chat", "model": "m", "users": "whom is this?"}
    assert Encode(text="title", users={}, rewrite=rewrite).rewrite.users
    with pytest.raises(ValidationError, match=r"add encode\.users"):
        Encode(text="title", rewrite=rewrite)
