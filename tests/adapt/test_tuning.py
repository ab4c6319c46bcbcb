"""The tuning itself, in this process, with the small encoder that is there without a hub."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.adapt.titles import SMALL, job_of, nearness
from tests.encode.titles import ON
from tests.logs import shop_config

from landbridge.adapt.adapters import learning
from landbridge.adapt.tuning import Tuning
from landbridge.encode.encoder import Source, find, load
from landbridge.train.progress import Follower, Progress
from landbridge.train.ranks import Alone
from landbridge.train.watch import Watch


class Killed(Exception):
    pass


def config_of(root, **changed):
    settings = {**SMALL, **changed}
    return shop_config(root / "logs", root / "var", ON, f"encode.tune={settings}".replace("'", '"').replace("T", "t"))


def tuning_of(job, ranks=None):
    return Tuning(job, ranks or Alone(), Watch(math.inf, {}), Progress(job.progress, 0))


def tuned_of(job):
    return Source(str(job.work / "model"), None, "tuned")


def told_by(job):
    follower = Follower(job.progress, lambda line: None)
    follower.follow()
    return follower.of("tuned")[-1]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    root = tmp_path_factory.mktemp("tuning")
    job = job_of(config_of(root), root / "models")
    tuning_of(job).run()
    return job


def test_the_loss_falls_and_partners_are_found(ended):
    told = told_by(ended)
    assert told["loss"] < 0.8 * told["first_loss"]
    assert told["mrr"] > told["mrr_before"]
    assert told["pairs"] == 30
    rows = ended.losses.read_text().splitlines()
    assert rows[0] == "round,step,loss"
    assert len(rows) == 1 + SMALL["steps"]


def test_what_is_taken_together_is_nearer_than_before(ended):
    assert nearness(tuned_of(ended), ended.encode) > nearness(ended.source, ended.encode) + 0.1


def test_the_saved_model_is_a_whole_one_that_encodes_as_the_adapted_one(ended):
    """It has the files and tensors of the encoder as it came, and a revision of its own."""
    settings = ended.encode.model_copy(update={"model": str(ended.work / "model")})
    assert find(settings).revision != ended.source.revision
    tuned, base = (load_file(f"{place}/model.safetensors") for place in (ended.work / "model", ended.source.place))
    assert {name: tuned[name].shape for name in tuned} == {name: base[name].shape for name in tuned}
    moved = {name for name in tuned if not torch.equal(tuned[name], base[name])}
    assert moved
    assert all(name.endswith(".weight") and ("attention" in name or "dense" in name) for name in moved)
    again = tuning_of(ended)
    state = load_file(ended.checkpoint / "kept.safetensors")
    for name, value in learning(again.encoder).items():
        value.data.copy_(state[name])
    texts = ["Copper Kettle", "Wool Scarf, red"]
    np.testing.assert_allclose(
        load(tuned_of(ended), ended.encode).encode(texts), again.encoder.encode(texts), atol=1e-5
    )


def test_the_encoder_as_it_came_stays(ended):
    assert find(ended.encode) == ended.source
    assert nearness(ended.source, ended.encode) == pytest.approx(nearness(find(ended.encode), ended.encode))


def test_a_tuning_that_dies_is_resumed_to_the_same_bytes(ended, tmp_path, monkeypatch):
    job = job_of(ended.config, tmp_path / "models")
    first = tuning_of(job)
    told = Tuning._tell

    def dies(self, now):
        told(self, now)
        if now.done == 2:
            raise Killed

    monkeypatch.setattr(Tuning, "_tell", dies)
    with pytest.raises(Killed):
        first.run()
    monkeypatch.undo()
    second = tuning_of(job)
    assert second.progressed.done == 2
    second.run()
    name = "model/model.safetensors"
    assert (job.work / name).read_bytes() == (ended.work / name).read_bytes()
    assert job.losses.read_text() == ended.losses.read_text()


def test_a_checkpoint_of_another_run_is_not_taken_up(ended, tmp_path):
    job = job_of(ended.config, tmp_path / "models")
    ended.checkpoint.rename(ended.checkpoint.with_name("away"))
    try:
        assert tuning_of(job).progressed.done == 0
    finally:
        ended.checkpoint.with_name("away").rename(ended.checkpoint)
    (ended.checkpoint / "state.json").write_text(
        (ended.checkpoint / "state.json").read_text().replace('fingerprint": "fingerprint', 'fingerprint": "another')
    )
    assert tuning_of(ended).progressed.done == 0


def test_it_ends_early_and_leaves_no_model_where_no_round_is_better(tmp_path):
    job = job_of(config_of(tmp_path, learning_rate=1e-12, rounds=6, patience=2), tmp_path / "models")
    tuning = tuning_of(job)
    tuning.run()
    assert (tuning.progressed.done, tuning.progressed.best) == (2, 0)
    assert not (job.work / "model").exists()


def test_equal_pairs_are_drawn_in_the_same_order_whatever_the_files(ended):
    pairs = tuning_of(ended).pairs
    assert sorted(pairs.order(1, 0)) == list(range(len(pairs)))
    assert list(pairs.order(1, 0)) != list(pairs.order(1, 1))
    assert load(ended.source, ended.encode).encode(["a"]).shape == (1, 384)
