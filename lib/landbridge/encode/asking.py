"""A night's asking: what it may cost, how often it tries again, and when it stops."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from landbridge.config.rewrite import Rewrite
from landbridge.encode.chat import ChatError

Told = SimpleQueue[tuple[str, str | None]]
_LONGEST = 60.0
"""Seconds: who asks to be left alone for longer is not asked again this night."""


class Asking:
    """Texts are asked by some threads that share one budget, one end, and what went wrong in a row.

    Attributes
    ----------
    requests
        Sent up to now, retries included.
    stopped
        Why nothing is asked any more, or None.
    failed
        The last thing that went wrong since `answers` began, or None.
    """

    def __init__(self, settings: Rewrite, budget: int, send: Callable[[str, str], str]) -> None:
        self.settings, self.budget, self._send = settings, budget, send
        self.requests = 0
        self.stopped: str | None = None
        self.failed: str | None = None
        self._in_a_row, self._alone_until = 0, 0.0
        self._left = 60.0 * settings.minutes
        self._lock, self._over = Lock(), Event()

    def answers(self, instruction: str, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield texts with their answers, as they come; texts that get none are left out.

        It ends when the minutes of asking are over, whatever the endpoint does: threads that still wait for a socket
        then are left to themselves, and end with the process.
        """
        self.failed, begun = None, time.monotonic()
        waiting: SimpleQueue[str] = SimpleQueue()
        told: Told = SimpleQueue()
        for text in texts:
            waiting.put(text)
        for _ in range(min(self.settings.concurrency, len(texts))):
            Thread(target=self._work, args=(instruction, waiting, told), daemon=True).start()
        try:
            for _ in texts:
                text, answer = told.get(timeout=max(begun + self._left - time.monotonic(), 0.0))
                if answer is not None:
                    yield text, answer
        except Empty:
            self._stop(f"its {self.settings.minutes:g} minutes are over")
        finally:
            self._left -= time.monotonic() - begun  # what else the night does meanwhile takes nothing of them
            _emptied(waiting)

    def _work(self, instruction: str, waiting: SimpleQueue[str], told: Told) -> None:
        with suppress(Empty):
            while True:
                text = waiting.get_nowait()
                told.put((text, self._answer(instruction, text)))

    def _answer(self, instruction: str, text: str) -> str | None:
        for attempt in range(self.settings.retries + 1):
            self._rest(attempt)
            if not self._may_send():
                return None
            try:
                answer = self._send(instruction, text)
            except ChatError as why:
                failure = why
            # Whatever a library makes of strange bytes; its message may show the request, and so the key.
            except Exception as error:
                failure = ChatError(f"a failure ({type(error).__name__})")
            else:
                self._succeeded()
                return answer
            if not self._may_try_again(failure):
                break
        self._fail(failure)
        return None

    def _rest(self, attempt: int) -> None:
        """Wait before a retry, some longer than others so that they do not come at once, and while none is wanted."""
        pause = self.settings.backoff * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0) if attempt else 0.0
        asked = self._alone_until - time.monotonic()
        self._over.wait(max(min(pause, _LONGEST), asked, 0.0))

    def _may_send(self) -> bool:
        with self._lock:
            if self.stopped is None and self.requests < self.budget:
                self.requests += 1
                return True
        self._stop(f"the budget of {self.settings.budget:,} requests a night is spent")
        return False

    def _may_try_again(self, failure: ChatError) -> bool:
        if failure.hopeless or failure.wait > _LONGEST:
            told = f", to be asked again in {failure.wait:,.0f} s" if failure.wait else ""
            self._stop(f"the endpoint gives {failure}{told}")
        if failure.wait:
            self._alone_until = max(self._alone_until, time.monotonic() + failure.wait)
        return failure.passing and self.stopped is None

    def _succeeded(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def _fail(self, failure: ChatError) -> None:
        with self._lock:
            self._in_a_row += 1
            self.failed = str(failure)
            many = self._in_a_row >= self.settings.failures
        if many:
            self._stop(f"{self._in_a_row} texts in a row got none, the last of them {failure}")

    def _stop(self, why: str) -> None:
        with self._lock:
            self.stopped = self.stopped or why
        self._over.set()


def _emptied(waiting: SimpleQueue[str]) -> None:
    """Leave nothing to ask, so that the threads end."""
    with suppress(Empty):
        while True:
            waiting.get_nowait()
