"""One request to a chat endpoint: what is sent, what counts as an answer, and what each failure means."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from email.message import Message

import pytest
from pydantic import ValidationError
from tests.encode.endpoint import KEY, answer, serving, status
from tests.logs import shop_config

from landbridge.config.rewrite import Rewrite
from landbridge.encode.chat import Chat, ChatError, answer_in, asked_to_wait, chat_of
from landbridge.errors import ConfigError

NONSENSE = {
    "no JSON": b"<html>busy</html>",
    "nothing": b"",
    "no choices": b'{"choices": []}',
    "another shape": b'["choices"]',
    "no text": b'{"choices": [{"message": {"content": null}}]}',
    "a list": b'{"choices": [{"message": {"content": ["mug"]}}]}',
    "blank": b'{"choices": [{"message": {"content": " \\n"}}]}',
    "half a pair": b'{"choices": [{"message": {"content": "\\ud83e"}}]}',
    "cut off": b'{"choices": [{"message": {"content": "a red"}, "finish_reason": "length"}]}',
    "too long": json.dumps({"choices": [{"message": {"content": "x" * 101}}]}).encode(),
    "nested": b"[" * 100_000,
    "no bytes of text": b"\xff\xfe",
}


def settings(url, **changed):
    return Rewrite(**{"url": url, "model": "m", "items": "say what it is", "most_characters": 100, **changed})


def refusal(reply, **changed):
    with serving(lambda text, number: reply) as endpoint, pytest.raises(ChatError) as found:
        Chat(settings(endpoint.url, **changed), KEY).ask("say", "mug")
    assert KEY not in str(found.value)
    return found.value


def test_a_request_says_what_to_make_of_the_text_and_shows_the_key():
    with serving(lambda text, number: answer("a mug")) as endpoint:
        chat = Chat(settings(endpoint.url, parameters={"temperature": 0, "model": "other"}), KEY)
        assert chat.ask("say what it is", "mug 10cl") == "a mug"
        assert Chat(settings(endpoint.url)).ask("say what it is", "mug") == "a mug"
    assert endpoint.asked[0]["messages"] == [
        {"role": "system", "content": "say what it is"},
        {"role": "user", "content": "mug 10cl"},
    ]
    assert (endpoint.asked[0]["temperature"], endpoint.asked[0]["model"]) == (0, "m")
    assert endpoint.keys == [f"Bearer {KEY}", None]


@pytest.mark.parametrize(
    ("code", "passing", "hopeless"),
    [(429, True, False), (500, True, False), (503, True, False), (400, False, False), (401, False, True)],
)
def test_a_status_says_whether_to_try_again(code, passing, hopeless):
    found = refusal(status(code))
    assert (str(found), found.passing, found.hopeless) == (f"status {code}", passing, hopeless)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry_After": "soon"}, 0.0),
        ({"Retry_After": "-3"}, 0.0),
        ({"Retry_After": "nan"}, 0.0),
        ({}, 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date_by_the_clock_of_the_endpoint(headers, wait):
    given = Message()
    for name, value in headers.items():
        given[name.replace("_", "-")] = value
    assert asked_to_wait(given) == wait


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_no_answer(body):
    with pytest.raises(ChatError, match="an answer that is none") as found:
        answer_in(body, 100)
    assert not found.value.passing
    assert str(refusal((200, {}, body))) == str(found.value)


def test_a_redirect_is_not_followed_so_that_nobody_else_sees_the_key():
    with serving(lambda text, number: answer("gotcha")) as other:
        found = refusal(status(302, Location=f"{other.url}/chat/completions"))
        assert (str(found), other.asked) == ("status 302", [])


def drip(server):
    """Answer one request with a byte now and then, each well within the timeout."""
    asked, _ = server.accept()
    with asked, suppress(OSError):
        asked.recv(65536)
        asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            time.sleep(0.05)
            asked.sendall(b" ")


def test_an_endpoint_that_hangs_or_drips_is_left_after_the_timeout():
    begun = time.monotonic()
    assert str(refusal(None, timeout=0.3)) == "no answer within 0.3 s"
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        with pytest.raises(ChatError, match="no answer within") as found:
            Chat(settings(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=0.3)).ask("say", "mug")
    assert found.value.passing
    assert time.monotonic() - begun < 3


def test_an_endpoint_that_is_not_there_may_come_back():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(ChatError, match=r"no answer \(ConnectionRefusedError\)") as found:
        Chat(settings(url)).ask("say", "mug")
    assert found.value.passing


def test_the_key_comes_from_the_environment_and_shows_nowhere():
    given = settings("http://chat", key_variable="CHAT_KEY")
    chat = chat_of(given, {"CHAT_KEY": f" {KEY}\n"})
    assert chat.key == KEY
    assert KEY not in repr(chat)
    for held in ("", "  "):
        with pytest.raises(ChatError, match=r"CHAT_KEY, which .* names, is not set"):
            chat_of(given, {"CHAT_KEY": held})
    for held in (f"{KEY}\nX-Other: 1", f"{KEY}’"):
        with pytest.raises(ChatError, match="CHAT_KEY holds no key") as found:
            chat_of(given, {"CHAT_KEY": held})
        assert KEY not in str(found.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "chat.internal/v1"}, "must begin with http"),
        ({"url": f"https://user:{KEY}@chat/v1"}, "must hold no user, password or query"),
        ({"url": f"https://chat/v1?key={KEY}"}, "must hold no user, password or query"),
        ({"key_variable": KEY}, "should match pattern"),
        ({"items": None}, "tells the model nothing"),
        ({"budget": 0}, "greater than or equal to 1"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        settings(**{"url": "http://chat", **wrong})


def test_a_key_that_was_put_into_the_configuration_is_not_printed(tmp_path):
    for wrong in (f"key_variable: {KEY}", f"url: 'https://u:{KEY}@chat/v1'"):
        with pytest.raises(ConfigError) as found:
            shop_config(tmp_path, tmp_path, f"encode={{text: title, rewrite: {{model: m, items: i, {wrong}}}}}")
        assert KEY not in str(found.value)
