"""Texts that a chat model writes anew: whose answers are encoded, what is asked again, and a night without it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from tests.encode.endpoint import KEY, answer, serving, status
from tests.encode.titles import ON, TITLES, expected, vector_of, vectors, write
from tests.logs import day

from landbridge.clean.step import CLEAN
from landbridge.encode.step import ENCODE

TITLED = {item: title.title() for item, title in TITLES.items()}


def rewriting(url, **changed):
    """The overrides of a shop whose titles are rewritten."""
    asked = {"url": url, "model": "m", "items": "say what it is", "key_variable": "CHAT_KEY", **QUICK, **changed}
    return ON, f"encode.rewrite={json.dumps(asked)}"


QUICK = {"timeout": 0.2, "retries": 1, "backoff": 0.001, "failures": 2, "concurrency": 1}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("CHAT_KEY", KEY)


def everything_kept(shop):
    """All bytes of tables and their logs, and all that was said."""
    files = [path.read_bytes() for path in Path(shop.config.root).rglob("*") if path.is_file()]
    return b"\n".join([*files, "\n".join(shop.said).encode()])


def meant(text, number):
    return answer(f"a {text} for the kitchen")


def encode(shop, number, url, budget):
    """The notes of a night."""
    return shop.with_config(*rewriting(url, budget=budget)).run(day(number), ENCODE).notes


def test_answers_are_encoded_in_place_of_the_texts_and_asked_for_once_within_the_budget(encoded):
    with serving(meant) as endpoint:
        notes = encode(encoded, 0, endpoint.url, 2)
        assert notes["left_out"] == [
            "2 of 3 texts of items are rewritten by m in 2 requests; the others stay as they are: "
            "the budget of 2 requests a night is spent"
        ]
        first, (left,) = set(endpoint.texts), set(TITLED.values()) - set(endpoint.texts)
        found = {title: vectors(encoded)[item] for item, title in TITLED.items()}
        for title in first:
            np.testing.assert_allclose(found[title], vector_of(f"a {title} for the kitchen"), atol=2e-5)
        np.testing.assert_allclose(found[left], vector_of(left), atol=2e-5)
        encode(encoded, 0, endpoint.url, 2)
        assert len(endpoint.asked) == 2  # the budget is the night's, not the run's

        changed = next(item for item, title in TITLED.items() if title in first)
        write(encoded, 1, {changed: "green mug"}.items())
        encoded.run(day(1), CLEAN)
        encode(encoded, 1, endpoint.url, 1)
        assert endpoint.texts[2:] == ["Green Mug"]  # newest first
        encode(encoded, 1, endpoint.url, 10)
        assert endpoint.texts[3:] == [left]
        notes = encode(encoded, 1, endpoint.url, 10)
    assert (notes["requests"], notes["encoded"], notes["left_out"]) == (0, 0, [])
    for item, title in {**TITLED, changed: "Green Mug"}.items():
        np.testing.assert_allclose(vectors(encoded)[item], vector_of(f"a {title} for the kitchen"), atol=2e-5)
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    assert KEY.encode() not in everything_kept(encoded)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda text, number: status(429), "2 texts in a row got none, the last of them status 429"),
        (lambda text, number: status(500), "2 texts in a row got none, the last of them status 500"),
        (lambda text, number: (200, {}, b"{"), "2 texts in a row got none, the last of them an answer that is none"),
        (lambda text, number: None, "2 texts in a row got none, the last of them no answer within 0.2 s"),
    ],
    ids=["429", "500", "nonsense", "hangs"],
)
def test_a_night_without_answers_encodes_the_texts_as_they_are_and_says_so(texts, reply, why):
    with serving(reply) as endpoint:
        without_answers(texts.with_config(*rewriting(endpoint.url)), why)


def test_an_endpoint_that_is_not_there_leaves_the_texts_as_they_are(texts):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    without_answers(texts.with_config(*rewriting(url)), "the last of them no answer (ConnectionRefusedError)")


def test_without_the_key_nothing_is_asked(texts, monkeypatch):
    monkeypatch.delenv("CHAT_KEY")
    with serving(meant) as endpoint:
        shop = texts.with_config(*rewriting(endpoint.url))
        inputs = ENCODE.inputs(shop.night(day(0)))
        without_answers(shop, "no text is rewritten: the environment variable CHAT_KEY")
        assert endpoint.asked == []
    monkeypatch.setenv("CHAT_KEY", KEY)
    assert ENCODE.inputs(shop.night(day(0))) != inputs  # a key that is set later is used the same day


def test_a_night_encodes_although_the_endpoint_fails(encoded):
    with serving(lambda text, number: status(500)) as endpoint:
        shop = encoded.with_config(*rewriting(endpoint.url), "encode.pooling=cls")
        assert shop.run(day(0), ENCODE).metrics["encoded"] == len(TITLES)
    found = [row for row in shop.rows("item_vectors") if row["item_id"] == "10000"]
    wanted = expected(TITLES["10000"], "encode.pooling=cls")
    assert min(np.abs(np.array(row["vector"]) - wanted).max() for row in found) < 2e-5


def without_answers(shop, why):
    """Run the step, and look that it ends with the vectors of the texts as they are, and says why."""
    before = vectors(shop)
    notes = shop.run(day(0), ENCODE).notes
    (sentence,) = notes["left_out"]
    assert why in sentence
    assert sentence in shop.said
    assert KEY not in "".join(shop.said)
    assert notes["rewritten"] == 0
    assert shop.lake.version("rewrites") == -1
    assert set(vectors(shop)) == set(before) == set(TITLES)
