"""What every launcher keeps: the same small job, real processes."""

import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest
from tests.lakes import SOURCE
from tests.train.nights import night_of

from landbridge.config.days import FITS
from landbridge.contenders.folder import load_fitted, read_meta
from landbridge.contenders.network import NetworkFitted
from landbridge.errors import TrainError
from landbridge.train.launch import horovod_found
from landbridge.train.step import FINETUNE, PRETRAIN

HOROVOD = pytest.param("horovod", marks=pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed"))
PROCESSES = {"process": 1, "horovod": 2}
LONG = ("retriever.epochs=4000", "train.stall_seconds=120")


def settings(launcher):
    return f"train.launcher={launcher}", f"train.processes={PROCESSES[launcher]}"


@pytest.fixture(scope="module", params=["process", HOROVOD])
def nights(request, tmp_path_factory):
    """Two nights of the same seed, pretrained by the same launcher."""
    made = []
    for name in ("first", "second"):
        lines = []
        night = night_of(tmp_path_factory.mktemp(f"{request.param}-{name}"), *settings(request.param), lines=lines)
        made.append((night, lines, PRETRAIN.run(night)))
    return made


def folder(night, fit, scope="United%20Kingdom", contender="target_only"):
    return night.models / "fits" / fit / scope / contender


def test_three_fits_are_saved_each_until_its_day(nights):
    night, _, outcome = nights[0]
    assert outcome.notes["fitted"] == 3
    untils = [read_meta(folder(night, fit))["until"] for fit in FITS]
    assert untils == sorted(untils)
    assert untils[-1] == night.ds.isoformat()
    assert all(isinstance(load_fitted(folder(night, fit)), NetworkFitted) for fit in FITS)


def test_the_same_seed_and_world_leave_the_same_bytes(nights):
    (first, _, _), (second, _, _) = nights
    for name in (
        "losses-pretrain.csv",
        *(f"fits/{fit}/United%20Kingdom/target_only/ranker.safetensors" for fit in FITS),
    ):
        assert (first.models / name).read_bytes() == (second.models / name).read_bytes()


def test_progress_is_told_and_chatter_is_in_the_log(nights):
    night, lines, _ = nights[0]
    assert any("retriever target_only (United Kingdom) fit A epoch" in line for line in lines)
    assert all("Horovod is not installed" not in line for line in lines)
    assert (night.config.folder / "logs" / f"{night.ds}-pretrain.log").exists()


def test_nothing_secret_is_left_behind(nights):
    night, _, _ = nights[0]
    assert list(night.models.glob("job-*.json")) == []


def test_a_job_that_is_done_is_not_done_again(nights):
    night, lines, _ = nights[1]
    outcome = PRETRAIN.run(night)
    assert (outcome.notes["fitted"], outcome.notes["skipped"]) == (0, 3)
    assert any("taken as they are" in line for line in lines)


def ranks():
    """The training processes that this test started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if command[1:3] == ["-m", "landbridge.train.worker"]:
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


@pytest.mark.parametrize("launcher", ["process", HOROVOD])
def test_a_killed_rank_ends_the_job_with_a_sentence(launcher, tmp_path):
    night = night_of(tmp_path, *settings(launcher), *LONG)
    killed = []

    def kill():
        while not (night.models / "progress-pretrain.jsonl").exists():
            time.sleep(0.05)
        victim = ranks()[-1]
        killed.append(time.monotonic())
        os.kill(victim.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(TrainError, match=r"training processes of pretrain failed .* resume"):
        PRETRAIN.run(night)
    assert time.monotonic() - killed[0] < 30
    thread.join()
    assert ranks() == []


def test_a_rank_that_stalls_ends_itself(tmp_path):
    """It is stopped for longer than it may stand still, and continued so that it can notice."""
    night = night_of(tmp_path, *settings("process"), "retriever.epochs=4000", "train.stall_seconds=5")

    def stall():
        while not (night.models / "progress-pretrain.jsonl").exists():
            time.sleep(0.05)
        rank = ranks()[-1]
        rank.suspend()
        time.sleep(7)
        rank.resume()

    thread = threading.Thread(target=stall)
    thread.start()
    with pytest.raises(TrainError, match=r"no step for \d+ seconds while retriever .*train.stall_seconds is 5"):
        PRETRAIN.run(night)
    thread.join()


@pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed")
def test_one_and_two_processes_score_alike(tmp_path):
    scores = {}
    for launcher in PROCESSES:
        night = night_of(tmp_path / launcher, *settings(launcher), "transfer.split_above=1")
        PRETRAIN.run(night)
        FINETUNE.run(night)
        scores[launcher] = [
            score for name in ("United%20Kingdom/target_only", "Germany/fine_tune") for score in _scores(night, name)
        ]
    for one, two in zip(scores["process"], scores["horovod"], strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-2, atol=2e-2)


def _scores(night, name):
    from landbridge.feed.assemble import Assembler

    scope, contender = name.split("/")
    assembler = Assembler.load(night.models / "assembler")
    scenario = scope.replace("%20", " ")
    rows = night.lake.read("user_state").sort_by("user_id")
    states = assembler.states(rows, scenario)
    catalogue = assembler.catalogue(scenario, np.arange(1, 40, dtype=np.int32), night.ds)
    fitted = load_fitted(folder(night, "C", scope, contender))
    everything = np.tile(np.arange(len(catalogue.items)), (len(states), 1))
    assert scenario in (SOURCE, "Germany")
    return fitted.score(states, catalogue), fitted.probability(states, catalogue, everything)
