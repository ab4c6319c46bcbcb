"""Nights as a person or a scheduler runs them: processes of their own, some of them killed."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from tests.system.small import DS, ROOT

from landbridge.config import Config, load
from landbridge.lake.lake import Lake

STEPS = ("clean", "featurize", "pretrain", "finetune", "evaluate", "recommend", "report")
TABLES = (
    "events",
    "quarantine",
    "items",
    "users",
    "vocabulary",
    "statistics",
    "examples",
    "histories",
    "user_state",
    "metrics",
    "recommendations",
)
NAMES_OF_RUNS = ("run_id",)
"""Columns that tell which run wrote a row; all others are a function of the data and the configuration."""


@dataclass(frozen=True)
class Place:
    """A lake under a root, and how landbridge is called on it."""

    conf: Path
    root: Path
    profile: str = "local"

    def arguments(self) -> list[str]:
        return ["--conf", str(self.conf), "--profile", self.profile, "--set", f"root={self.root}"]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "landbridge.pipeline.cli", words[0], *self.arguments(), *words[1:]]

    def run(self, *words: str, code: int = 0, timeout: float = 600) -> str:
        """Run a command, expect its exit code, and return what it printed."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=timeout, env=environment(), cwd=ROOT
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, (
            f"{' '.join(words)} ended with {done.returncode}, expected {code}\n{told}\n{self.log_tail()}"
        )
        return told

    def nightly(self, *words: str, ds: dt.date = DS, code: int = 0) -> str:
        return self.run("nightly", "--ds", str(ds), *words, code=code)

    def start(self, *words: str) -> Started:
        return Started(self.command(*words), self.root.with_name(f"said-{time.monotonic_ns()}.out"))

    def config(self) -> Config:
        return load(self.conf, self.profile, [f"root={self.root}"])

    def lake(self) -> Lake:
        return Lake(self.config())

    def models(self, ds: dt.date = DS) -> Path:
        return self.root / "models" / str(ds)

    def wrote(self, table: str, version: int = 1) -> bool:
        """Whether a commit of a table is there."""
        return (self.root / "lake" / table / "_delta_log" / f"{version:020}.json").exists()

    def copied(self, folder: Path, profile: str | None = None) -> Place:
        """The same place under another root."""
        shutil.copytree(self.root, folder)
        return Place(self.conf, folder, profile or self.profile)

    def log_tail(self) -> str:
        logs = (
            sorted((self.root / "logs").glob("*.log"), key=lambda file: file.stat().st_mtime)
            if (self.root / "logs").exists()
            else []
        )
        return logs[-1].read_text(errors="replace")[-4000:] if logs else ""


class Started:
    """A running command, whose lines are kept in a file."""

    def __init__(self, command: list[str], output: Path) -> None:
        self.output = output
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment(), cwd=ROOT)

    def lines(self) -> str:
        return self.output.read_text(errors="replace")

    def until(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        """Wait until the condition holds; the command must not end before."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode} before:\n{self.lines()}"
            assert time.monotonic() < deadline, f"nothing happened in {seconds} s:\n{self.lines()}"
            time.sleep(0.002)

    def says(self, text: str, seconds: float = 300) -> None:
        self.until(lambda: text in self.lines(), seconds)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL

    def end(self, seconds: float = 600) -> int:
        return self.process.wait(seconds)


def environment() -> dict[str, str]:
    """The environment with this checkout's package, and this Python for Spark's workers."""
    paths = os.pathsep.join([str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": paths, "PYSPARK_PYTHON": sys.executable, "COLUMNS": "200"}


def contents(place: Place, *without: str) -> dict[str, pa.Table]:
    """Every table's rows by key, without the columns that name a run."""
    lake = place.lake()
    found = {}
    for name in TABLES:
        table = lake.read(name)
        kept = [column for column in lake.contract(name).columns if column not in (*NAMES_OF_RUNS, *without)]
        keys = [(column, "ascending") for column in lake.contract(name).key]
        found[name] = table.sort_by(keys).select(kept).combine_chunks()
    return found


def assert_same(left: dict[str, pa.Table], right: dict[str, pa.Table]) -> None:
    """Compare contents table by table and column by column."""
    for name in left:
        assert left[name].num_rows == right[name].num_rows, (
            f"{name}: {left[name].num_rows} rows and {right[name].num_rows}"
        )
        differ = [
            column
            for column in left[name].column_names
            if left[name][column].to_pylist() != right[name][column].to_pylist()
        ]
        assert not differ, f"{name} differs in {differ}"


def losses(place: Place, ds: dt.date = DS) -> dict[str, bytes]:
    """The night's loss files."""
    return {file.name: file.read_bytes() for file in sorted(place.models(ds).glob("losses-*.csv"))}
