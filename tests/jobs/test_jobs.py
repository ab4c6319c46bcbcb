"""Every job is a thin entry of its own: it parses, loads, and makes one call."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.pipeline.steps import NAMES

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.py"))


def job(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
        check=False,
    )


def test_there_is_a_job_for_every_step_and_one_for_the_night() -> None:
    assert {path.stem for path in JOBS} == {*NAMES, "nightly"}


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_makes_one_call_into_the_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert f"spark-submit jobs/{path.stem}.py" in (ast.get_docstring(tree) or "")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert len(calls) == 1
    command = ast.literal_eval(calls[0].args[0].elts[0])  # type: ignore[attr-defined]
    assert command == path.stem


def test_a_job_explains_itself() -> None:
    done = job("featurize", "--help")
    assert done.returncode == 0
    assert (
        "spark-submit jobs/featurize.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30" in done.stdout
    )


def test_wrong_usage_is_exit_code_2_and_no_traceback() -> None:
    done = job("nightly")
    assert done.returncode == 2
    assert "Missing option '--ds'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_is_exit_code_2_and_one_sentence() -> None:
    done = job("clean", "--ds", "2011-11-30", "--set", "sead=3")
    assert done.returncode == 2
    assert done.stderr.startswith("landbridge: --set: sead: is not a key here; did you mean seed?")
    assert len(done.stderr.splitlines()) == 1
