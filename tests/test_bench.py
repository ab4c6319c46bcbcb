"""The benchmarks run, tell every contender, and leave their lines behind; how fast anything is, no test says."""

import csv
import re
import runpy
import subprocess
import sys

import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner
from tests.bench import impressions
from tests.bench.command import main
from tests.bench.rounds import Contender, Work, measure

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def small_tables(monkeypatch):
    monkeypatch.setitem(impressions.FIELDS, "user", 500)
    monkeypatch.setitem(impressions.FIELDS, "item", 200)


@pytest.fixture(autouse=True)
def threads_as_before():
    before, arrow = torch.get_num_threads(), pa.cpu_count()
    yield
    torch.set_num_threads(before)
    pa.set_cpu_count(arrow)


@pytest.mark.parametrize(
    ("work", "told"),
    [
        ("topk", ["landbridge top_k", "torch.topk", "faiss", "implicit", "the matrix product alone"]),
        ("feeding", ["landbridge Loader", "torch DataLoader", "pyarrow Parquet", "one gather a batch"]),
        ("training", ["landbridge fit_ranker", "plain torch loop", "its matrix products"]),
    ],
)
def test_a_bench_prints_its_contenders_and_writes_them(tmp_path, work, told):
    done = CliRunner().invoke(main, [work, "--scale", "0.0001", "--cpu", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert_told(tmp_path, done.output, told)


def test_encoding_is_timed_on_spark(tmp_path):
    command = [sys.executable, "-m", "tests.bench", "encoding", "--scale", "0.0001", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_told(tmp_path, done.stdout, ["landbridge encode", "plain loop", "the network alone"])


def assert_told(folder, output, told):
    assert [name for name in told if name not in output] == []
    (file,) = folder.iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.csv", file.name)
    lines = list(csv.DictReader(file.open()))
    assert {line["role"] for line in lines} == {"ours", "peer", "floor"}
    assert [name for name in told if not any(line["contender"].startswith(name) for line in lines)] == []
    assert all(float(line["rate"]) > 0 for line in lines if line["role"] != "peer")


def test_processor_seconds_are_refused_where_other_processes_work(tmp_path):
    done = CliRunner().invoke(main, ["encoding", "--cpu", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "leave out --cpu" in done.output


def test_contenders_take_turns_and_the_first_round_does_not_count():
    calls = []
    ours = Contender("ours", "ours", 1, lambda: calls.append("ours"))
    floor = Contender("floor", "floor", 1, lambda: calls.append("floor"))
    found = measure(Work("w", "rows", "", [ours, floor, Contender("absent", "peer", 1, None)]), rounds=3)
    assert calls == ["ours", "floor"] * 4
    assert [len(one.rates) for one in found] == [3, 3, 0]
    assert found[1].of_floor == 1.0
    assert found[0].of_peer is None


def test_help_tells_the_works(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("tests.bench", run_name="__main__")
    told = capsys.readouterr().out
    assert [work for work in ("topk", "feeding", "training", "encoding") if work not in told] == []
