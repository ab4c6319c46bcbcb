"""One writer a lake: a file lock where the root is a folder, a lease where it is an object store.

The lease is the one place of Landbridge that acts on the clock.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landbridge.errors import LakeError, LockedError
from landbridge.lake.lake import Lake
from landbridge.pipeline.lease import leased

_POLL_SECONDS = 0.5


@contextmanager
def locked(lake: Lake, wait: float = 0.0) -> Iterator[None]:
    """Hold the lake for writing.

    Parameters
    ----------
    lake
        The lake.
    wait
        Seconds to wait for another writer to end.

    Raises
    ------
    LockedError
        Another process still writes the lake.
    """
    if lake.config.is_local:
        with _file_locked(Path(lake.config.root).resolve() / "lake", wait):
            yield
    else:
        with leased(lake, _command(), wait):
            yield


@contextmanager
def _file_locked(folder: Path, wait: float) -> Iterator[None]:
    """The kernel gives the lock up when the process ends, however it ends; what it starts does not inherit it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LakeError(
            f"the lake {folder} cannot be written ({error.strerror}): make it writable or name another root"
        ) from None
    try:
        _take(descriptor, folder, wait)
        os.ftruncate(descriptor, 0)
        since = dt.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "command": _command(), "since": since}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(_held(descriptor, folder)) from None
        time.sleep(_POLL_SECONDS)


def _held(descriptor: int, folder: Path) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        who = f"process {holder['pid']} since {holder['since']} ({holder['command']})"
    except (ValueError, KeyError):
        who = "another process that has just begun"
    return f"the lake {folder} is being written by {who}; wait for its end with --wait SECONDS, or end it"


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
