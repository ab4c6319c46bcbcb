"""What every launcher keeps: the same small job, real processes."""

import pytest
from tests.train.nights import night_of

from landbridge.config.days import FITS
from landbridge.contenders.folder import load_fitted, read_meta
from landbridge.contenders.network import NetworkFitted
from landbridge.train.launch import horovod_found
from landbridge.train.step import PRETRAIN

HOROVOD = pytest.param("horovod", marks=pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed"))
PROCESSES = {"process": 1, "horovod": 2}


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
