"""Every strategy through the steps pretrain and finetune, over two nights."""

import datetime as dt

import numpy as np
import pytest
import torch
from tests.lakes import SMALL, SOURCE, TINY
from tests.train.nights import night_of, night_on

from landbridge.contenders.folder import find_fitted, load_fitted, read_meta
from landbridge.train.jointly import _due
from landbridge.train.step import FINETUNE, PRETRAIN
from landbridge.transfer import STRATEGIES

CROSSING = [name for name, strategy in STRATEGIES.items() if strategy.crosses]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Two nights with every strategy."""
    named = f"transfer.strategies=[{', '.join(CROSSING)}]"
    first = night_of(tmp_path_factory.mktemp("strategies"), named, "recommend.contenders=[popularity]")
    second = night_on(first.config, first.ds + dt.timedelta(days=1))
    for night in (first, second):
        PRETRAIN.run(night)
        FINETUNE.run(night)
    return first, second


@pytest.mark.parametrize("name", CROSSING)
def test_every_target_has_it_in_every_fit(nights, name):
    for night in nights:
        for fit in "ABC":
            for target in (SMALL, TINY) if name != "bridge" else (SMALL,):  # nobody of the other is in the source
                folder = find_fitted(night.models, fit, target)[name]
                assert read_meta(folder)["crosses"]
                assert load_fitted(folder).networks.sizes.items > 1


def test_joint_is_fitted_once_and_serves_the_source_too(nights):
    found = {find_fitted(nights[0].models, "A", scenario)["joint"] for scenario in (SOURCE, SMALL, TINY)}
    assert len(found) == 1
    read = read_meta(found.pop())
    assert read["examples"] == sum(
        read_meta(find_fitted(nights[0].models, "A", scenario)["target_only"])["examples"]
        for scenario in (SOURCE, SMALL, TINY)
    )


@pytest.mark.parametrize("name", ["ple", "pepnet", "adasparse"])
def test_another_ranker_stands_behind_joints_retriever_of_the_same_fit(nights, name):
    for night in nights:
        for fit in "ABC":
            found = find_fitted(night.models, fit, SMALL)
            joint, other = (load_fitted(found[each]).networks.retriever.state_dict() for each in ("joint", name))
            assert all(torch.equal(joint[key], other[key]) for key in joint)


def test_zero_shot_is_the_source_of_the_same_fit(nights):
    for fit in "AB":
        source = load_fitted(find_fitted(nights[1].models, fit, SOURCE)["target_only"]).networks
        target = load_fitted(find_fitted(nights[1].models, fit, SMALL)["zero_shot"]).networks
        assert torch.equal(source.retriever.item.table.weight, target.retriever.item.table.weight)


def test_beside_stands_tonights_source(nights):
    for name in ("side", "fusion"):
        source = load_fitted(find_fitted(nights[1].models, "C", SOURCE)["target_only"]).networks
        target = load_fitted(find_fitted(nights[1].models, "C", SMALL)[name]).networks
        assert torch.equal(source.ranker.item.table.weight, target.ranker.source.item.table.weight)


def test_over_the_bridge_comes_tonights_source(nights):
    for night in nights:
        source = load_fitted(find_fitted(night.models, "C", SOURCE)["target_only"]).networks
        target = load_fitted(find_fitted(night.models, "C", SMALL)["bridge"]).networks
        for key, value in source.retriever.state_dict().items():
            assert torch.equal(value, target.retriever.source.state_dict()[key])
        assert target.retriever.bridge.make[2].weight.abs().max() > 0


def test_a_generative_fit_serves_every_scenario_by_a_decoder_of_its_own(nights):
    for night in nights:
        found = {find_fitted(night.models, "A", scenario)["generative"] for scenario in (SOURCE, SMALL, TINY)}
        assert len(found) == 1
        own = load_fitted(found.pop()).networks.retriever.own.table.weight
        assert own[1:].abs().amax(1).min() > 0
        assert not own[0].any()


def test_what_stays_stays_and_what_learns_moves(nights):
    first, second = (load_fitted(find_fitted(night.models, "A", SMALL)["low_rank"]).networks for night in nights)
    assert torch.equal(first.ranker.hidden[0].weight, second.ranker.hidden[0].weight)
    assert first.ranker.hidden[0].high.abs().max() > 0


def test_a_frozen_body_is_the_sources_and_its_head_is_not(nights):
    source = load_fitted(find_fitted(nights[0].models, "A", SOURCE)["target_only"]).networks
    for name, moved in (("freeze", "encoder.user.2.weight"), ("prompt", "encoder.asked.table.weight")):
        target = load_fitted(find_fitted(nights[0].models, "A", SMALL)[name]).networks
        own, other = target.retriever.state_dict(), source.retriever.state_dict()
        assert torch.equal(own["encoder.user.0.weight"], other["encoder.user.0.weight"])
        held = target.retriever.item.held
        assert held.sum() > 10
        assert torch.equal(own["item.table.weight"][held], other["item.table.weight"][held])
        assert not torch.equal(own[moved], other[moved])


def test_what_meta_begins_from_is_fitted_once_and_serves_nobody(nights):
    for night in nights:
        assert read_meta(night.models / "fits" / "A" / "_all" / "_meta")["examples"] > 0
        for scenario in (SOURCE, SMALL, TINY):
            assert "_meta" not in find_fitted(night.models, "A", scenario)
        assert "meta" not in find_fitted(night.models, "A", SOURCE)


def test_a_discriminator_stays_with_its_networks(nights):
    target = load_fitted(find_fitted(nights[1].models, "C", SMALL)["adversarial"]).networks
    assert target.form == "adversarial"
    assert target.retriever.discriminator.hidden.weight.abs().max() > 0


@pytest.mark.parametrize("own", [0, 1, 3, 7])
def test_the_turns_of_a_scenario_are_all_taken_and_spread(own):
    turns = np.array([_due(step, own, 7) for step in range(7)])
    assert turns.sum() == own
    if own:
        assert np.diff(np.flatnonzero(turns)).max(initial=0) <= -(-7 // own)
