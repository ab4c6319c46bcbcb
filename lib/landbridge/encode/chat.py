"""One request to a chat model behind an endpoint that speaks as OpenAI's does, and what it means that none came back.

Nothing of what the endpoint says but a good answer is passed on: servers repeat keys in their errors.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from landbridge.config.rewrite import Rewrite
from landbridge.errors import LandbridgeError

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""What may be over in a moment."""
_HOPELESS = frozenset({401, 403, 404, 405})
"""What every text would be told."""
_MOST_BYTES = 1 << 20
_PART = 1 << 16


class ChatError(LandbridgeError):
    """A request brought no answer.

    `passing`: the same request may be answered in a moment. `hopeless`: no request of this night will be.
    `wait`: seconds for which the endpoint wants to be left alone.
    """

    def __init__(self, why: str, *, passing: bool = False, hopeless: bool = False, wait: float = 0.0) -> None:
        super().__init__(why)
        self.passing, self.hopeless, self.wait = passing, hopeless, wait


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the key to whoever it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Chat:
    """An endpoint, and the key it is shown."""

    settings: Rewrite
    key: str | None = field(default=None, repr=False)

    def ask(self, instruction: str, text: str) -> str:
        """Return what the model makes of a text.

        Raises
        ------
        ChatError
            The endpoint is not there, takes too long, refuses, or answers what is none.
        """
        given = self.settings
        until = time.monotonic() + given.timeout
        try:
            with build_opener(_NoRedirects).open(self._request(instruction, text), timeout=given.timeout) as response:
                return answer_in(_body(response, until), given.most_characters)
        except HTTPError as error:
            raise _refused(error) from None
        except TimeoutError:
            raise ChatError(f"no answer within {given.timeout:g} s", passing=True) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            late = isinstance(reason, TimeoutError)
            what = f"no answer within {given.timeout:g} s" if late else f"no answer ({type(reason).__name__})"
            raise ChatError(what, passing=True) from None

    def _request(self, instruction: str, text: str) -> Request:
        given = self.settings
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": text}]
        body = {**given.parameters, "model": given.model, "messages": messages, "stream": False}
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return Request(f"{given.url}/chat/completions", json.dumps(body).encode(), headers, method="POST")


def chat_of(settings: Rewrite, environment: Mapping[str, str] = os.environ) -> Chat:
    """Return the endpoint with the key of the environment.

    Raises
    ------
    ChatError
        The variable is not set, or what it holds fits into no header.
    """
    name = settings.key_variable
    if name is None:
        return Chat(settings)
    key = environment.get(name, "").strip()
    if not key:
        raise ChatError(f"the environment variable {name}, which encode.rewrite.key_variable names, is not set")
    if not (key.isascii() and key.isprintable()):
        raise ChatError(f"the environment variable {name} holds no key: a header cannot carry what it holds")
    return Chat(settings, key)


def answer_in(body: bytes, most: int) -> str:
    """Return the answer in a response of the shape of a chat completion.

    Raises
    ------
    ChatError
        There is none in it, or it is empty, cut off, no text, or longer than `most` characters.
    """
    try:
        choice = json.loads(body)["choices"][0]
        content, ended = choice["message"]["content"], choice.get("finish_reason")
        content.encode()  # a half of a pair of surrogates is no text
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ChatError("an answer that is none: not a chat completion") from None
    if not isinstance(content, str) or not content.strip():
        raise ChatError("an answer that is none: empty")
    if len(content) > most or ended == "length":
        raise ChatError(f"an answer that is none: cut off, or longer than {most:,} characters")
    return content


def _body(response: HTTPResponse, until: float) -> bytes:
    """Read a response that may come in drops, but not for longer than a request may take."""
    parts, size = [], 0
    while part := response.read1(_PART):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise ChatError("an answer that is none: longer than any text")
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(parts)


def _refused(error: HTTPError) -> ChatError:
    with error:  # it is a response too, and holds a socket
        passing = error.code in _PASSING
        wait = asked_to_wait(error.headers) if passing else 0.0
        return ChatError(f"status {error.code}", passing=passing, hopeless=error.code in _HOPELESS, wait=wait)


def asked_to_wait(headers: Message) -> float:
    """Return the seconds of Retry-After: a number, or a date beside the endpoint's own clock; 0 where it makes none."""
    said = headers.get("Retry-After", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            until, now = (parsedate_to_datetime(text) for text in (said, headers.get("Date", "")))
            seconds = (until - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
