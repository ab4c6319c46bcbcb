"""An HTTP server of the tests' own that speaks as a chat endpoint does, or fails in the ways that they do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes]
KEY = "sk-THIS-IS-THE-KEY-1f3b"


class Endpoint:
    """Answers each request with what `reply` makes of its text and number, from 1; None leaves it without an answer."""

    def __init__(self, reply: Callable[[str, int], Reply | None]) -> None:
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self.url = ""

    @property
    def texts(self) -> list[str]:
        """The texts it was asked about, in order."""
        return [body["messages"][-1]["content"] for body in self.asked]

    def taken(self, body: dict[str, Any], key: str | None) -> Reply | None:
        with self._lock:
            self.asked.append(body)
            self.keys.append(key)
            number = len(self.asked)
        return self.reply(body["messages"][-1]["content"], number)


def answer(content: object, **choice: object) -> Reply:
    """A chat completion."""
    found = {"choices": [{"message": {"role": "assistant", "content": content}, **choice}]}
    return 200, {}, json.dumps(found).encode()


def status(code: int, **headers: str) -> Reply:
    """A refusal whose body repeats the key, as some do."""
    return code, {name.replace("_", "-"): value for name, value in headers.items()}, f"wrong key {KEY}".encode()


@contextmanager
def serving(reply: Callable[[str, int], Reply | None]) -> Iterator[Endpoint]:
    """Serve on a free port of this machine until the block ends."""
    endpoint = Endpoint(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = endpoint.taken(body, self.headers["Authorization"])
            if found is None:
                endpoint.over.wait(20)
                return
            code, headers, content = found
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.over.set()
        server.shutdown()
        server.server_close()
