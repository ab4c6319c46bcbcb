"""Training processes that are killed, stopped or left alone, and what is resumed."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from tests.train.nights import night_of

from landbridge.contenders.folder import find_fitted, load_fitted
from landbridge.errors import TrainError
from landbridge.feed.assemble import Assembler
from landbridge.train.launch import horovod_found
from landbridge.train.step import FINETUNE, PRETRAIN

pytestmark = pytest.mark.system

HOROVOD = pytest.param("horovod", marks=pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed"))
PROCESSES = {"process": 1, "horovod": 2}
LONG = ("retriever.epochs=4000", "train.stall_seconds=120")
SHARED = ("fine_tune", "freeze", "prompt", "adversarial", "align", "meta", "bridge", "generative", "graph")
NIGHT = """
import sys
from pathlib import Path
from tests.train.nights import night_of
from landbridge.train.step import PRETRAIN
PRETRAIN.run(night_of(Path(sys.argv[1]), *sys.argv[2:]))
"""


def settings(launcher):
    return f"train.launcher={launcher}", f"train.processes={PROCESSES[launcher]}"


def ranks(root):
    """The training processes whose job lies under a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if command[1:3] == ["-m", "landbridge.train.worker"] and command[3].startswith(str(root)):
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


def once_training(night, act):
    """Act as soon as a process tells of its training; return the thread in which that happens."""

    def wait():
        while not (night.models / "progress-pretrain.jsonl").exists():
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("launcher", ["process", HOROVOD])
def test_a_killed_rank_ends_the_job_with_a_sentence(launcher, tmp_path):
    night = night_of(tmp_path, *settings(launcher), *LONG)
    killed = []

    def kill():
        victim = ranks(tmp_path)[-1]
        killed.append(time.monotonic())
        os.kill(victim.pid, signal.SIGKILL)

    thread = once_training(night, kill)
    with pytest.raises(TrainError, match=r"training processes of pretrain failed .* resume"):
        PRETRAIN.run(night)
    assert time.monotonic() - killed[0] < 30
    thread.join()
    assert ranks(tmp_path) == []


@pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_launcher_that_is_told_to_stop_ends_the_job_with_a_sentence(processes, tmp_path):
    """Whatever exit code horovodrun makes of it, half a job must not count as a whole one."""
    night = night_of(tmp_path, "train.launcher=horovod", f"train.processes={processes}", *LONG)

    def stop():
        for process in psutil.Process().children():
            if "landbridge.train.loopback" in process.cmdline():
                process.terminate()

    thread = once_training(night, stop)
    with pytest.raises(TrainError, match=r"training processes of pretrain (failed|ended before) .* resume"):
        PRETRAIN.run(night)
    thread.join()
    assert ranks(tmp_path) == []


def test_a_rank_that_stalls_ends_itself(tmp_path):
    """It is stopped for longer than it may stand still, and continued so that it can notice."""
    night = night_of(tmp_path, *settings("process"), "retriever.epochs=4000", "train.stall_seconds=5")

    def stall():
        rank = ranks(tmp_path)[-1]
        rank.suspend()
        try:
            time.sleep(7)
        finally:
            rank.resume()

    thread = once_training(night, stall)
    with pytest.raises(TrainError, match=r"no step for \d+ seconds while retriever .*train.stall_seconds is 5"):
        PRETRAIN.run(night)
    thread.join()


@pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed")
def test_one_and_two_processes_score_alike(tmp_path):
    scores = {}
    for launcher in PROCESSES:
        night = night_of(
            tmp_path / launcher,
            *settings(launcher),
            "transfer.split_above=1",
            f"transfer.strategies=[{', '.join(SHARED)}]",
        )
        PRETRAIN.run(night)
        FINETUNE.run(night)
        scores[launcher] = [
            score
            for scenario, name in (("United Kingdom", "target_only"), *(("Germany", strategy) for strategy in SHARED))
            for score in _scores(night, scenario, name)
        ]
    for one, two in zip(scores["process"], scores["horovod"], strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-2, atol=2e-2)


def _scores(night, scenario, name):
    assembler = Assembler.load(night.models / "assembler")
    rows = night.lake.read("user_state").sort_by("user_id")
    states = assembler.states(rows, scenario)
    catalogue = assembler.catalogue(scenario, np.arange(1, 40, dtype=np.int32), night.ds)
    fitted = load_fitted(find_fitted(night.models, "C", scenario)[name])
    everything = np.tile(np.arange(len(catalogue.items)), (len(states), 1))
    return fitted.score(states, catalogue), fitted.probability(states, catalogue, everything)


@pytest.mark.parametrize("launcher", ["process", HOROVOD])
def test_a_night_that_is_killed_takes_its_processes_along_and_resumes_to_the_same_bytes(launcher, tmp_path):
    wanted = night_of(tmp_path / "undisturbed", *settings(launcher), "retriever.epochs=30")
    PRETRAIN.run(wanted)
    root = tmp_path / "killed"
    night = night_of(root, *settings(launcher), "retriever.epochs=30")
    command = [sys.executable, "-c", NIGHT, str(root), *settings(launcher), "retriever.epochs=30"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(night.models.glob("checkpoints/*/state.json")):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 20
    while ranks(root):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert not (night.models / "fits" / "C").exists()
    PRETRAIN.run(night)
    names = [path.relative_to(wanted.models) for path in wanted.models.rglob("*.safetensors")]
    assert len(names) == 6
    for name in [*names, "losses-pretrain.csv"]:
        assert (night.models / name).read_bytes() == (wanted.models / name).read_bytes()
    assert list(night.models.glob("checkpoints/*")) == []


@pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed")
def test_ranks_on_spark_make_the_same_networks_as_ranks_under_horovodrun(spark, tmp_path):
    nights = [
        night_of(tmp_path / launcher, f"train.launcher={launcher}", "train.processes=2")
        for launcher in ("spark", "horovod")
    ]
    for night in nights:
        PRETRAIN.run(night)
    for fit in "ABC":
        name = f"fits/{fit}/United%20Kingdom/target_only/retriever.safetensors"
        assert (nights[0].models / name).read_bytes() == (nights[1].models / name).read_bytes()
