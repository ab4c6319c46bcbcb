"""A lease on a lake in an object store: one row of a small Delta table, renewed by a thread, free when it expires."""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from landbridge.errors import LakeError, LockedError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.lake.store import unreachable

SECONDS = 300.0
"""How long a lease lasts without a heartbeat; a third of it is the time between two heartbeats."""


@dataclass(frozen=True)
class Holder:
    """Who holds the lease, and until when."""

    holder: str
    command: str
    since: dt.datetime
    expires: dt.datetime


@contextmanager
def leased(lake: Lake, command: str, wait: float = 0.0, seconds: float = SECONDS) -> Iterator[Holder]:
    """Hold the lease of a lake, renewing it until the block ends.

    Raises
    ------
    LockedError
        Another process holds it and did not let go within `wait` seconds.
    """
    mine = _take(lake, command, wait, seconds)
    done = threading.Event()
    heart = threading.Thread(target=_beat, args=(lake, mine, seconds, done), daemon=True, name="lease")
    heart.start()
    try:
        yield mine
    finally:
        done.set()
        heart.join()
        read = _read(lake)
        if _is(read.holder, mine):
            _swap(lake, read, None)


def holder_of(lake: Lake) -> Holder | None:
    """Return who holds the lease, expired or not, or None."""
    return _read(lake).holder if lake.exists("lease") else None


@dataclass(frozen=True)
class _Read:
    """The table as it was read: a commit on top of this very version, or none."""

    table: DeltaTable
    holder: Holder | None


def _read(lake: Lake) -> _Read:
    table = lake.delta("lease")
    rows = lake.pinned(lease=table.version()).read("lease").to_pylist()
    return _Read(table, Holder(**rows[0]) if rows else None)


def _take(lake: Lake, command: str, wait: float, seconds: float) -> Holder:
    lake.create("lease")
    deadline = time.monotonic() + wait
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    while True:
        read, now = _read(lake), _now()
        held = read.holder
        if held is None or held.expires <= now:
            mine = Holder(name, command, now, now + dt.timedelta(seconds=seconds))
            if _swap(lake, read, mine):
                return mine
        if time.monotonic() >= deadline:
            held = held or holder_of(lake)
            who = (
                f"{held.holder} since {held.since:%Y-%m-%d %H:%M:%S} UTC ({held.command})"
                if held
                else "another process"
            )
            raise LockedError(
                f"the lake {lake.config.root}/lake is being written by {who}; "
                "wait for its end with --wait SECONDS, or end it; "
                f"the lease of a process that died ends by itself after {seconds:.0f} seconds"
            )
        time.sleep(min(1.0, seconds / 10))


def _beat(lake: Lake, mine: Holder, seconds: float, done: threading.Event) -> None:
    """Renew until `done`; a renewal that fails is tried again at the next beat, and the lease lasts three."""
    while not done.wait(seconds / 3):
        try:
            read = _read(lake)
            if _is(read.holder, mine):
                _swap(lake, read, Holder(mine.holder, mine.command, mine.since, _now() + dt.timedelta(seconds=seconds)))
        except (LakeError, OSError):
            continue


def _swap(lake: Lake, read: _Read, new: Holder | None) -> bool:
    """Put a row, or none, in the place of what was read; False where another process was faster."""
    contract = lake.contract("lease")
    rows = [vars(new)] if new is not None else []
    table = pa.Table.from_pylist(rows, schema=arrow_schema(contract))
    # No retry: a commit that lost the race must fail, not be put on top of the winner's.
    only_once = CommitProperties(max_commit_retries=0)
    try:
        write_deltalake(read.table, table, mode="overwrite", commit_properties=only_once)
    except DeltaError:
        return False
    except OSError as error:
        raise LakeError(unreachable(lake.config, error)) from None
    return True


def _is(held: Holder | None, mine: Holder) -> bool:
    return held is not None and held.holder == mine.holder


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
