"""What the processes tell while they train: JSON lines in a file, and the readable lines that the launcher makes
of them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INTERVAL = 5.0
"""Seconds between two lines that a person is shown."""
_END = "end"


class Progress:
    """Appends one JSON object a line; several processes may append to the same file."""

    def __init__(self, file: Path, rank: int) -> None:
        self.file, self.rank = file, rank
        self._last = 0.0

    def step(self, **facts: Any) -> None:
        """Tell of a training step, unless one was told of just now."""
        now = time.monotonic()
        if now - self._last >= INTERVAL:
            self._last = now
            self.tell("step", **facts)

    def tell(self, kind: str, **facts: Any) -> None:
        """Tell of something that is always kept: a fit that ended, an error."""
        line = json.dumps({"kind": kind, "rank": self.rank, **facts}) + "\n"
        file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def end(self) -> None:
        """Tell that this process has done all that fell to it; its launcher believes no exit code without it."""
        self.tell(_END)


class Follower:
    """Reads new lines of the file and shows at most one line an interval."""

    def __init__(self, file: Path, say: Callable[[str], None]) -> None:
        self.file, self.say = file, say
        self.events: list[dict[str, Any]] = []
        self._at, self._last, self._waiting = 0, 0.0, ""

    def follow(self) -> None:
        """Take in what is new; say the newest of it if the interval has passed."""
        for event in self._new():
            self.events.append(event)
            self._waiting = readable(event) or self._waiting
        now = time.monotonic()
        if self._waiting and now - self._last >= INTERVAL:
            self.say(self._waiting)
            self._last, self._waiting = now, ""

    def close(self) -> None:
        """Take in and say what is left."""
        self._last = 0.0
        self.follow()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind, in the order in which they came."""
        return [event for event in self.events if event["kind"] == kind]

    @property
    def ended(self) -> int:
        """How many processes have told that they have done all that fell to them."""
        return len({event["rank"] for event in self.of(_END)})

    def _new(self) -> Iterator[dict[str, Any]]:
        if not self.file.exists():
            return
        with self.file.open("rb") as lines:
            lines.seek(self._at)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield json.loads(line)


def readable(event: dict[str, Any]) -> str:
    """Return an event as a person reads it; empty for what is not shown."""
    if event["kind"] == "step":
        return (
            f"  {event['network']} {event['unit']} fit {event['fit']} epoch {event['epoch'] + 1}/{event['epochs']} "
            f"step {event['step'] + 1}/{event['steps']} loss {event['loss']:.4f} {event['rate']:,.0f} examples/s"
            f"{event.get('left', '')}"
        )
    if event["kind"] == "round":
        return (
            f"  round {event['number']}/{event['of']}: recall@10 of held-out users {event['recall']:.4f}, "
            f"reciprocal rank {event['mrr']:.4f}"
        )
    if event["kind"] == "fit":
        return f"  {event['unit']} fit {event['fit']} done: {event['examples']:,} examples in {event['seconds']:.1f} s"
    return ""
