"""A night that could not end does not begin; one whose disk fills up leaves yesterday's tables."""

from __future__ import annotations

import datetime as dt
import resource
import signal
from pathlib import Path

import pyarrow as pa
import pytest
from tests.pipeline.conftest import ROOT

from landbridge.config import load
from landbridge.config.schema import Config
from landbridge.errors import LakeError
from landbridge.lake.arrow import arrow_schema
from landbridge.lake.lake import Lake
from landbridge.pipeline import preflight as room
from landbridge.pipeline.preflight import preflight

DS = dt.date(2011, 11, 30)


def test_a_place_with_room_passes(config: Config) -> None:
    preflight(config)
    assert list(config.folder.iterdir()) == []


def test_a_full_disk_is_told_before_anything_runs(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FREE_GB", 1e9)
    with pytest.raises(LakeError, match=r"GB are free and a night needs .*: free some, or name another place"):
        preflight(config)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    config = load(ROOT / "conf" / "online_retail.yaml", "local", ["root=/proc/landbridge"])
    with pytest.raises(LakeError, match=r"/proc/landbridge: cannot be written"):
        preflight(config)


def test_a_disk_that_fills_up_leaves_the_table_as_it_was(config: Config) -> None:
    lake = Lake(config)
    schema = arrow_schema(lake.contract("recommendations"))

    def rows(count: int) -> pa.Table:
        users = [f"user {number:06} {number * 7919 % 104729}" for number in range(count)]
        return pa.Table.from_pylist(
            [
                {
                    "ds": DS,
                    "scenario": "s",
                    "user_id": user,
                    "items": [],
                    "model_name": "m",
                    "model_version": "1",
                    "run_id": "",
                }
                for user in users
            ],
            schema=schema,
        )

    version = lake.replace_day("recommendations", rows(1), DS, "before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(LakeError, match=r"recommendations at .* cannot be written"):
            lake.replace_day("recommendations", rows(20_000), DS, "after")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert lake.version("recommendations") == version
    assert lake.read("recommendations").num_rows == 1
