"""A process watches itself: it ends when it stops stepping, and when who started it is gone.

Horovod's own stall shutdown does not fire in every hang, and a launcher that is killed cannot end its processes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import psutil

INTERVAL = 0.5
"""Seconds between two looks."""


class Watch:
    """Ends this process by SIGKILL, with a sentence on standard error, once `beat` has not been called for
    `stall_seconds`.
    """

    def __init__(self, stall_seconds: float, parent: Mapping[str, Any]) -> None:
        self.stall_seconds, self.parent = stall_seconds, parent
        self.doing = "starting"
        self._last = time.monotonic()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def beat(self, doing: str) -> None:
        """Say that something moved, and what is done now; a beat that comes too late ends this process as well."""
        self._end_if_stalled()
        self.doing = doing
        self._last = time.monotonic()

    def rest(self) -> None:
        """Stop counting: from now on this process only waits for others, whose own watches look after them."""
        self._last = float("inf")

    def _look(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self._end_if_stalled()
            if not alive(self.parent):
                _die("the process that started this training is gone, so this process ends itself")

    def _end_if_stalled(self) -> None:
        waited = time.monotonic() - self._last
        if waited > self.stall_seconds:
            _die(
                f"no step for {waited:.0f} seconds while {self.doing}, so this process ends itself "
                f"(train.stall_seconds is {self.stall_seconds:g})"
            )


def parent_here() -> dict[str, Any]:
    """Return what names this process on this machine, for the processes that it starts."""
    me = psutil.Process()
    return {"pid": me.pid, "created": me.create_time(), "host": socket.gethostname()}


def alive(parent: Mapping[str, Any]) -> bool:
    """Whether the named process lives; one on another machine cannot be seen and counts as living."""
    if not parent or parent["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(parent["pid"])
        return bool(abs(process.create_time() - parent["created"]) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _die(sentence: str) -> None:
    print(f"landbridge: {sentence}", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
