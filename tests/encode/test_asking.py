"""A night's asking of a chat endpoint that answers well, badly, late, or not at all: what it costs, and how it ends."""

from __future__ import annotations

import socket
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from tests.encode.endpoint import KEY, answer, serving, status

from landbridge.config.rewrite import Rewrite
from landbridge.encode.asking import Asking
from landbridge.encode.chat import Chat, ChatError

TEXTS = [f"mug {number}" for number in range(12)]


def settings(url="http://chat", **changed):
    return Rewrite(**{"url": url, "model": "m", "items": "i", "backoff": 0.001, "timeout": 5.0, **changed})


def asking(url, budget=100, **changed):
    chosen = settings(url, budget=budget, **changed)
    return Asking(chosen, budget, Chat(chosen, KEY).ask)


def well(text, number):
    return answer(f"{text}!")


def test_every_text_gets_its_own_answer_with_one_request():
    with serving(well) as endpoint:
        night = asking(endpoint.url, concurrency=4)
        assert dict(night.answers("i", TEXTS)) == {text: f"{text}!" for text in TEXTS}
    assert sorted(endpoint.texts) == sorted(TEXTS)
    assert (night.requests, night.stopped, night.failed) == (len(TEXTS), None, None)


def test_the_first_texts_are_asked_until_the_budget_is_spent_to_the_request():
    with serving(lambda text, number: status(500) if number == 1 else well(text, number)) as endpoint:
        night = asking(endpoint.url, budget=4, concurrency=1)
        assert [text for text, _ in night.answers("i", TEXTS)] == TEXTS[:3]
        assert list(night.answers("i", TEXTS)) == []
    assert endpoint.texts == [TEXTS[0], *TEXTS[:3]]
    assert night.stopped == "the budget of 4 requests a night is spent"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_number_of_threads_sends_more_than_the_budget(concurrency):
    with serving(well) as endpoint:
        list(asking(endpoint.url, budget=7, concurrency=concurrency).answers("i", TEXTS))
    assert len(endpoint.asked) == 7


def test_who_asks_to_wait_is_left_alone_by_all_threads_and_then_asked_again():
    times = []

    def reply(text, number):
        times.append(time.monotonic())
        if number == 1:
            return status(429, Retry_After="1")
        time.sleep(0.1)
        return well(text, number)

    with serving(reply) as endpoint:
        night = asking(endpoint.url, concurrency=3)
        assert len(dict(night.answers("i", TEXTS))) == len(TEXTS)
    assert sum(one - times[0] < 0.9 for one in times) <= 3
    assert (night.requests, night.stopped) == (len(TEXTS) + 1, None)


def test_who_asks_to_wait_for_long_is_not_asked_again():
    with serving(lambda text, number: status(429, Retry_After="3600")) as endpoint:
        night = asking(endpoint.url, concurrency=1)
        assert list(night.answers("i", TEXTS)) == []
    assert len(endpoint.asked) == 1
    assert night.stopped == "the endpoint gives status 429, to be asked again in 3,600 s"


def test_each_pause_is_longer_than_the_one_before():
    times = []

    def reply(text, number):
        times.append(time.monotonic())
        return status(500)

    with serving(reply) as endpoint:
        list(asking(endpoint.url, retries=3, backoff=0.2).answers("i", TEXTS[:1]))
    pauses = [after - before for before, after in pairwise(times)]
    assert len(pauses) == 3
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4


@pytest.mark.parametrize(
    ("reply", "says", "requests"),
    [
        (lambda text, number: status(429), "3 texts in a row got none, the last of them status 429", 9),
        (lambda text, number: status(500), "3 texts in a row got none, the last of them status 500", 9),
        (
            lambda text, number: (200, {}, b"{}"),
            "3 texts in a row got none, the last of them an answer that is none",
            3,
        ),
        (lambda text, number: status(401), "the endpoint gives status 401", 1),
        (lambda text, number: None, "3 texts in a row got none, the last of them no answer within 0.1 s", 9),
    ],
    ids=["429", "500", "nonsense", "401", "hangs"],
)
def test_an_endpoint_that_only_fails_is_left_alone_after_some_texts(reply, says, requests):
    with serving(reply) as endpoint:
        night = asking(endpoint.url, failures=3, retries=2, concurrency=1, timeout=0.1)
        assert list(night.answers("i", TEXTS)) == []
    assert night.stopped.startswith(says)
    assert (len(endpoint.asked), night.requests) == (requests, requests)


def test_an_endpoint_that_is_not_there_is_left_alone_too():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    night = asking(url, failures=2, concurrency=1)
    assert list(night.answers("i", TEXTS)) == []
    assert night.stopped == "2 texts in a row got none, the last of them no answer (ConnectionRefusedError)"


def test_failures_between_answers_do_not_stop_the_night():
    with serving(lambda text, number: well(text, number) if number % 3 else (200, {}, b"")) as endpoint:
        night = asking(endpoint.url, failures=2, concurrency=1)
        assert len(dict(night.answers("i", TEXTS))) == 8
    assert night.stopped is None
    assert night.failed == "an answer that is none: not a chat completion"


def test_it_ends_in_time_although_the_endpoint_does_not():
    with serving(lambda text, number: None) as endpoint:
        night, begun = asking(endpoint.url, minutes=0.01, timeout=30.0, concurrency=2), time.monotonic()
        assert list(night.answers("i", TEXTS)) == []
    assert time.monotonic() - begun < 3
    assert night.stopped == "its 0.01 minutes are over"


def test_what_nobody_foresaw_is_a_failure_whose_message_is_not_told():
    def send(instruction, text):
        raise ValueError(f"Invalid header value b'Bearer {KEY}'")

    night = Asking(settings(failures=1, concurrency=1), 10, send)
    assert list(night.answers("i", TEXTS)) == []
    assert night.stopped == "1 texts in a row got none, the last of them a failure (ValueError)"


@of_hypothesis(deadline=None, max_examples=60)
@given(
    script=st.lists(st.sampled_from(["well", "passing", "hopeless", "nonsense", "bug"]), max_size=30),
    budget=st.integers(0, 12),
    retries=st.integers(0, 2),
    failures=st.integers(1, 4),
    concurrency=st.integers(1, 3),
)
def test_whatever_the_endpoint_does_the_budget_holds_and_each_text_has_its_own_answer_or_none(
    script, budget, retries, failures, concurrency
):
    sent = []

    def send(instruction, text):
        sent.append(text)
        what = script[len(sent) - 1] if len(sent) <= len(script) else "well"
        if what == "bug":
            raise KeyError(text)
        if what != "well":
            raise ChatError(what, passing=what == "passing", hopeless=what == "hopeless")
        return f"{text}!"

    night = Asking(settings(retries=retries, failures=failures, concurrency=concurrency, backoff=0), budget, send)
    found = list(night.answers("i", TEXTS[:6]))
    assert len(sent) == night.requests <= budget
    assert len({text for text, _ in found}) == len(found)
    assert all(text in TEXTS[:6] and given == f"{text}!" for text, given in found)
    assert len(found) == 6 or night.stopped or night.failed
