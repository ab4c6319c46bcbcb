"""Every job is a thin entry of its own: it parses, loads, and makes one call."""

from __future__ import annotations

import ast
import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.logs import CONF, HEADER, MONDAY, lines

from landbridge.pipeline.steps import NAMES

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.py"))


def submitted(name: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a job by spark-submit from a folder, as somebody does who has not activated the environment."""
    command = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]", str(ROOT / "jobs" / name)]
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_", "LANDBRIDGE_"))
    }
    kept |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT / "lib"), **environment}
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=250, cwd=folder, env=kept, check=False
    )


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What stands on standard error, but for the line that a JVM with the module prints before anything can be set."""
    vector = "WARNING: Using incubator modules: jdk.incubator.vector"
    return [line for line in done.stderr.splitlines() if line != vector]


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


@pytest.mark.system
def test_a_submitted_job_prints_its_own_lines_only_and_spark_speaks_to_a_file(tmp_path: Path) -> None:
    text = "\n".join(",".join(map(str, row)) for row in [HEADER, *lines(MONDAY)])
    (tmp_path / f"{MONDAY}.csv.gz").write_bytes(gzip.compress(text.encode()))
    small = [f"root={tmp_path / 'var'}", f"data.reader.path={tmp_path}/{{ds}}.csv.gz"]
    small += [f"data.reader.first_day={MONDAY}", "spark.driver_memory=1g"]
    placed = [word for pair in small for word in ("--set", pair)]
    done = submitted("clean.py", tmp_path, "--conf", str(CONF), "--ds", str(MONDAY), *placed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told(done) == []
    assert done.stdout.startswith(f"[1/1] clean: has not run for {MONDAY}\n")
    assert all(line.startswith(("[1/1] clean: ", "      ")) for line in done.stdout.splitlines())
    assert "INFO SparkContext: Running Spark version" in (tmp_path / "var" / "logs" / "spark.log").read_text()


def test_a_submitted_job_names_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "a folder" / "spark.log"
    done = submitted("clean.py", tmp_path, "--ds", "yesterday", LANDBRIDGE_SPARK_LOG=str(log))
    assert done.returncode == 2
    assert told(done) == []
    assert "yesterday is not a date" in done.stdout.splitlines()[-1]  # Spark hands both streams of Python on as one
    assert not (tmp_path / "var").exists()
    assert log.exists()
