"""A small flow of real steps on real Delta tables, in a package of its own so that its code can change."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge import config as configuration
from landbridge.code import code_of
from landbridge.config.schema import Config

ROOT = Path(__file__).parents[2]

FLOW = """
import datetime as dt
import os
import signal
import pyarrow as pa
from landbridge.lake.arrow import arrow_schema
from landbridge.step import Night, Outcome, Step
from toyflow.help import double


def _lists(night, count):
    row = {"ds": night.ds, "scenario": "s", "user_id": "u",
           "items": [{"item_id": "i", "score": float(count), "source": "p"}],
           "model_name": "m", "model_version": "1", "run_id": ""}
    return pa.Table.from_pylist([row], schema=arrow_schema(night.lake.contract("recommendations")))


def _figures(night):
    row = {"ds": night.ds, "scenario": "s", "contender": "c", "split": "test", "window": 0, "seed": 1,
           "slice": "all", "metric": "auc", "k": 0, "value": double(night.config.seed), "low": 0.0, "high": 1.0,
           "users": 1}
    return pa.Table.from_pylist([row], schema=arrow_schema(night.lake.contract("metrics")))


def _die(where):
    if os.environ.get("TOYFLOW_DIE") == where:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("TOYFLOW_FAIL") == where:
        raise ZeroDivisionError(f"{where} was told to fail")


def evaluate(night: Night) -> Outcome:
    night.say("judging")
    _die("evaluate")
    night.lake.replace_day("metrics", _figures(night), night.ds, night.fingerprint)
    return Outcome({"rows": 1}, {"auc": 0.5})


def recommend(night: Night) -> Outcome:
    _die("recommend before")
    rows = _lists(night, night.lake.read("metrics").num_rows)
    night.lake.replace_day("recommendations", rows, night.ds, night.fingerprint)
    _die("recommend after")
    return Outcome()


def report(night: Night) -> Outcome:
    _die("report")
    night.reports.mkdir(parents=True, exist_ok=True)
    (night.reports / "report.txt").write_text(str(night.lake.read("recommendations").num_rows))
    return Outcome()


def file(night):
    path = night.config.folder / "input.txt"
    return {"input.txt": path.read_text() if path.exists() else ""}


STEPS = (
    Step("evaluate", (), ("metrics",), ("seed", "guard.k"), evaluate, file),
    Step("recommend", ("metrics",), ("recommendations",), ("recommend",), recommend),
    Step("report", ("recommendations", "ledger"), (), (), report),
)
"""

RUN = """
import datetime as dt
import sys
from landbridge import config
from landbridge.pipeline.nightly import nightly
from toyflow.step import STEPS
nightly(config.load(sys.argv[1], "local", sys.argv[3:]), dt.date.fromisoformat(sys.argv[2]),
        lambda line: print(line, flush=True), [step.name for step in STEPS], steps=STEPS)
"""


@pytest.fixture(scope="session")
def tracking_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all: to make one takes seconds."""
    return tmp_path_factory.mktemp("mlflow") / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, tracking_store: Path) -> list[str]:
    """What the tests override of the retail configuration."""
    return [
        f"root={tmp_path / 'var'}",
        f"tracking.uri=sqlite:///{tracking_store}",
        "train.launcher=process",
        "train.processes=1",
    ]


@pytest.fixture
def config(settings: list[str]) -> Config:
    return configuration.load(ROOT / "conf" / "online_retail.yaml", "local", settings)


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Path]:
    """The folder of the package `toyflow`, which can be imported as long as the test lasts."""
    folder = tmp_path / "code" / "toyflow"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "help.py").write_text('"""Helps."""\n\n\ndef double(value):\n    """Twice."""\n    return 2.0 * value\n')
    (folder / "step.py").write_text(textwrap.dedent(FLOW))
    (folder / "run.py").write_text(textwrap.dedent(RUN))
    sys.path.insert(0, str(folder.parent))
    forget()
    yield folder
    sys.path.remove(str(folder.parent))
    forget()


def forget() -> None:
    """Forget the package's modules and the hashes of its code."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "toyflow"]:
        del sys.modules[name]
    code_of.cache_clear()
