"""One writer a lake: the second waits or stops with a sentence; a killed one holds nothing."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.pipeline.conftest import ROOT

from landbridge.config.schema import Config
from landbridge.errors import LakeError, LockedError
from landbridge.lake.lake import Lake
from landbridge.pipeline.lease import holder_of, leased
from landbridge.pipeline.lock import locked

HOLD = """
import subprocess, sys, time
from landbridge import config
from landbridge.lake.lake import Lake
from landbridge.pipeline.lock import locked
lake = Lake(config.load(sys.argv[1], "local", sys.argv[2:]))
with locked(lake):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    print(child.pid, flush=True)
    time.sleep(60)
"""


def holder(config: Config) -> tuple[subprocess.Popen[str], int]:
    """A process that holds the lock, and a child of it that lives on."""
    command = [sys.executable, "-c", HOLD, str(ROOT / "conf" / "online_retail.yaml"), f"root={config.root}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_second_stops_with_a_sentence_and_a_killed_one_holds_nothing(config: Config) -> None:
    process, child = holder(config)
    try:
        holds = rf"is being written by process {process.pid} since \d{{4}}-"
        with pytest.raises(LockedError, match=holds), locked(Lake(config)):
            pass
        process.kill()
        process.wait()
        os.kill(child, 0)  # the orphan lives, and does not hold the lock
        with locked(Lake(config)):
            pass
    finally:
        process.kill()
        os.kill(child, signal.SIGKILL)


def test_the_second_waits_for_the_first(config: Config) -> None:
    process, child = holder(config)
    threading.Timer(1.0, process.kill).start()
    begun = time.monotonic()
    with locked(Lake(config), wait=30):
        assert time.monotonic() - begun > 0.5
    process.wait()
    os.kill(child, signal.SIGKILL)


def test_a_lake_that_cannot_be_written_is_a_sentence(config: Config, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    with pytest.raises(LakeError, match="cannot be written"), locked(Lake(config)):
        pass


def test_a_lease_keeps_others_out_until_it_is_given_back(config: Config) -> None:
    lake = Lake(config)
    with leased(lake, "the first"), pytest.raises(LockedError, match="the first"), leased(lake, "another"):
        pass
    assert holder_of(lake) is None
    with leased(lake, "another") as mine:
        assert mine.command == "another"


def test_a_lease_whose_holder_died_ends_by_itself(config: Config) -> None:
    lake = Lake(config)
    script = HOLD.replace("with locked(lake)", "with leased(lake, 'the dead', seconds=3.0)").replace(
        "pipeline.lock import locked", "pipeline.lease import leased"
    )
    command = [sys.executable, "-c", script, str(ROOT / "conf" / "online_retail.yaml"), f"root={config.root}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(LockedError, match="the dead"), leased(lake, "too early", seconds=3.0):
        pass
    with leased(lake, "later", wait=20, seconds=3.0) as mine:
        assert mine.command == "later"


def test_a_lease_is_renewed_for_as_long_as_it_is_held(config: Config) -> None:
    lake = Lake(config)
    with leased(lake, "long", seconds=1.5):
        time.sleep(3.5)
        held = holder_of(lake)
        assert held is not None
        assert held.expires > dt.datetime.now(dt.UTC)


def test_of_many_that_ask_at_once_one_gets_the_lease(config: Config) -> None:
    lake = Lake(config)
    lake.create("lease")
    got: list[str] = []
    refused: list[str] = []
    barrier, done = threading.Barrier(4), threading.Event()

    def ask(name: str) -> None:
        barrier.wait()
        try:
            with leased(lake, name):
                got.append(name)
                done.wait(20)
        except LockedError:
            refused.append(name)

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(got) + len(refused) < len(threads) and time.monotonic() < deadline:
        time.sleep(0.05)
    done.set()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 3)
