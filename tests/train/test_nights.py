"""The steps pretrain and finetune over nights: what is continued, what is taken as it is, what is said."""

import datetime as dt
import shutil

import pytest
from tests.lakes import SMALL, SOURCE, TINY
from tests.train.nights import night_of, night_on

from landbridge.contenders.folder import find_fitted, read_meta
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError, DataError, TrainError
from landbridge.train.job import Unit, deal
from landbridge.train.lineage import recipe
from landbridge.train.step import FINETUNE, PRETRAIN


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night with both jobs done."""
    night = night_of(tmp_path_factory.mktemp("nights"))
    return night, PRETRAIN.run(night), FINETUNE.run(night)


def test_every_scenario_has_every_contender_in_every_fit(night):
    simple = {contender.name for contender in all_simple(night[0].config)}
    for fit in "ABC":
        assert set(find_fitted(night[0].models, fit, SOURCE)) == simple | {"target_only"}
        for target in (SMALL, TINY):
            assert set(find_fitted(night[0].models, fit, target)) == simple | {"target_only", "fine_tune"}


def test_losses_and_a_picture_are_kept(night):
    models, outcome = night[0].models, night[2]
    assert outcome.artifacts == (models / "losses-finetune.csv", models / "losses-finetune.png")
    lines = (models / "losses-finetune.csv").read_text().splitlines()
    assert lines[0] == "network,contender,scope,fit,epoch,step,loss"
    assert len(lines) - 1 == outcome.notes["steps"]
    assert f"loss/retriever/fine_tune/{SMALL}/A" in outcome.metrics


def test_the_next_night_continues_fit_a_with_its_new_day_only(night):
    first = night[0]
    later = night_on(first.config, first.ds + dt.timedelta(days=1), lines := [])
    PRETRAIN.run(later)
    meta = read_meta(find_fitted(later.models, "A", SOURCE)["target_only"])
    assert meta["continued"]
    assert meta["since"] == read_meta(find_fitted(first.models, "A", SOURCE)["target_only"])["until"]
    assert meta["until"] == str(dt.date.fromisoformat(meta["since"]) + dt.timedelta(days=1))
    assert any(f"continues the fit of {first.ds}" in line for line in lines)


def test_another_configuration_begins_anew(night):
    first = night[0]
    other = night_of(
        first.config.folder, "negatives.power=0.5", ds=first.ds + dt.timedelta(days=2), lines=(lines := [])
    )
    assert recipe(other.config) != recipe(first.config)
    outcome = PRETRAIN.run(other)
    assert "configuration changed" in outcome.notes["warm"][f"target_only ({SOURCE})"]
    assert not read_meta(find_fitted(other.models, "A", SOURCE)["target_only"])["continued"]
    assert any("configuration changed" in line for line in lines)


def test_only_the_fits_that_are_missing_are_made(night):
    models = night[0].models
    kept = models / "fits" / "A" / SMALL / "fine_tune" / "meta.json"
    before = kept.stat().st_mtime_ns
    weights = (models / "fits" / "C" / SMALL / "fine_tune" / "retriever.safetensors").read_bytes()
    for fit in "BC":
        shutil.rmtree(models / "fits" / fit / SMALL / "fine_tune")
    outcome = FINETUNE.run(night[0])
    assert outcome.notes["fitted"] == 2
    assert kept.stat().st_mtime_ns == before
    assert (models / "fits" / "C" / SMALL / "fine_tune" / "retriever.safetensors").read_bytes() == weights


def test_fits_of_another_fingerprint_are_made_again(night):
    again = night_on(night[0].config, night[0].ds, fingerprint="two")
    assert PRETRAIN.run(again).notes["fitted"] == 3
    assert PRETRAIN.run(night_on(night[0].config, night[0].ds, fingerprint="two", again=True)).notes["fitted"] == 3


def test_finetuning_needs_pretraining(tmp_path):
    with pytest.raises(TrainError, match="run the step pretrain"):
        FINETUNE.run(night_of(tmp_path))


def test_a_source_without_events_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"'Atlantis' has no events.*Germany"):
        PRETRAIN.run(night_of(tmp_path, "transfer.source=Atlantis"))


def test_a_batch_that_ranks_cannot_share_is_refused(tmp_path):
    with pytest.raises((TrainError, ConfigError), match="batch 63 is not a multiple of the 8"):
        PRETRAIN.run(night_of(tmp_path, "retriever.batch=63"))


def test_without_horovod_one_process_trains_and_says_so(tmp_path, monkeypatch):
    hollow = tmp_path / "path" / "horovod"  # what an installation without a compiler would leave: no torch part
    hollow.mkdir(parents=True)
    (hollow / "__init__.py").touch()
    monkeypatch.syspath_prepend(hollow.parent)
    lines = []
    outcome = PRETRAIN.run(night_of(tmp_path, "train.launcher=horovod", "train.processes=2", lines=lines))
    assert (outcome.notes["launcher"], outcome.notes["processes"]) == ("process", 1)
    assert any("Horovod is not installed, so pretrain trains in one process" in line for line in lines)


def test_units_are_dealt_the_longest_first():
    units = tuple(Unit(f"c{cost}", "s", True, False, float(cost)) for cost in (1, 5, 3, 2, 4))
    hands = deal((*units, Unit("large", "s", True, True, 99.0)), 2)
    assert [[unit.cost for unit in hand] for hand in hands] == [[5.0, 2.0, 1.0], [4.0, 3.0]]
