"""What PLE, PEPNet and AdaSparse do beyond the common suite (tests/conformance): gates, experts, pruning."""

import json
from dataclasses import replace

import pytest
import torch
from tests.conformance.test_rankers import PLAIN, moved, questions, score

from landbridge.models.losses import sparsity
from landbridge.models.rankers import new_ranker, save_ranker
from landbridge.models.rankers.adasparse import BETA, EDGE, EPSILON, factors, pruned_share
from landbridge.models.rankers.pepnet import Gate

DEEP = replace(PLAIN, hidden=(16, 12))
GIVEN = questions(DEEP)


def moved_by(loss, ranker):
    """The names of the weights that a loss moves."""
    ranker.zero_grad()
    loss.backward()
    return {name for name, weight in ranker.named_parameters() if weight.grad is not None and weight.grad.any()}


def test_a_gate_lies_between_0_and_2_and_its_gradient_stops_at_what_it_scales():
    gate = Gate(3, 4, 5, 6)
    prior, beside = (torch.randn(20, width, requires_grad=True) for width in (3, 4))
    found = gate(prior, beside)
    assert found.shape == (20, 5)
    assert ((found > 0) & (found < 2)).all()
    found.sum().backward()
    assert prior.grad.any()
    assert beside.grad is None
    assert not torch.equal(gate(prior, beside + 1.0), found)


def test_epnet_learns_the_scenario_alone_from_its_gate():
    """The gate of the input moves the scenario's vector; users, items and categories learn from what it lets pass."""
    ranker = moved("pepnet", DEEP)
    given, _ = ranker.inputs(GIVEN, None)
    scenario_BW = torch.cat([given.vectors["scenario"], given.feature_BG], dim=1)
    names = moved_by(ranker.scenario_gate(scenario_BW, given.hidden_BW).sum(), ranker)
    assert {name for name in names if name.startswith("inputs.")} == {"inputs.ids.scenario.table.weight"}


def test_ppnet_learns_users_items_and_categories_from_its_gates():
    ranker = moved("pepnet", DEEP)
    given, _ = ranker.inputs(GIVEN, None)
    prior_BW = torch.cat([given.vectors[name] for name in ranker.priors], dim=1)
    assert ranker.priors == ["user", "item", "category0", "category1"]
    names = moved_by(ranker.tasks[0].scales[0](prior_BW, given.hidden_BW).sum(), ranker)
    tables = {"ids.user.table", "ids.item.table", "categories.0.table", "categories.1.table"}
    assert {name for name in names if name.startswith("inputs.")} == {f"inputs.{name}.weight" for name in tables}


def test_pepnet_begins_with_gates_that_change_nothing_and_has_layers_a_task():
    ranker = new_ranker("pepnet", DEEP, 0)
    before = score(ranker, GIVEN)
    with torch.no_grad():
        for gate in [module for module in ranker.modules() if isinstance(module, Gate)]:
            gate.layer.weight.normal_()
    assert torch.equal(score(ranker, GIVEN), before)
    ranker = moved("pepnet", DEEP)
    names = moved_by(ranker(GIVEN)[:, 1].sum(), ranker)
    assert any(name.startswith("tasks.1.") for name in names)
    assert not any(name.startswith("tasks.0.") for name in names)


def test_where_there_are_only_numbers_pepnet_asks_the_scenario():
    bare = replace(DEEP, users=1, items=1, categories=(), tags=1)
    ranker = moved("pepnet", bare)
    assert ranker.priors == ["scenario"]
    assert torch.isfinite(score(ranker, GIVEN)).all()


def test_ple_scales_and_shifts_the_input_of_a_scenario_before_all_experts():
    ranker, given = moved("ple", DEEP), questions(DEEP, scenarios=[2])
    own, before = ranker.own[1], score(ranker, given)
    with torch.no_grad():
        own.scale.mul_(2.0)
        assert not torch.allclose(score(ranker, given), before)
        ranker.inputs.norm.weight.div_(2.0)
        ranker.inputs.norm.bias.div_(2.0)
    torch.testing.assert_close(score(ranker, given), before, atol=1e-5, rtol=1e-5)


def test_ple_parts_experts_into_shared_and_own_on_every_level():
    for experts, own, shared in ((1, 1, 1), (3, 1, 2), (4, 2, 2), (5, 2, 3)):
        ranker = new_ranker("ple", replace(DEEP, experts=experts), 0)
        assert [len(level) for level in ranker.shared] == [shared, shared]
        assert [len(level) for level in ranker.own[0].experts] == [own, own]
        assert all(gate.out_features == own + shared for gate in ranker.own[0].gates)
        assert len(ranker.own[0].shared_gates) == 1


def test_own_experts_of_a_scenario_learn_nothing_from_another_and_shared_ones_learn_from_both():
    ranker = moved("ple", DEEP)
    names = moved_by(ranker(questions(DEEP, scenarios=[1]))[:, 0].sum(), ranker)
    assert any(name.startswith("own.0.experts.0.0") for name in names)
    assert any(name.startswith("own.0.experts.1.0") for name in names)
    assert any(name.startswith("own.0.shared_gates.0") for name in names)
    assert any(name.startswith("shared.1.") for name in names)
    assert not any(name.startswith(("own.1.", "own.2.", "own.3.")) for name in names)


def test_factors_are_zero_up_to_the_edge_then_rise_without_a_jump_to_two():
    said = torch.tensor([[-30.0, EDGE - 1e-3, EDGE + 1e-3, 0.0, 30.0]])
    found = factors(said)[0]
    assert (found[:2] == 0).all()
    assert 0 < found[2] < 1e-3
    assert found[3] == pytest.approx((1.0 - EPSILON) * BETA / (BETA - EPSILON))
    assert found[4] == pytest.approx(BETA)
    assert pruned_share(said).item() == pytest.approx(2 / 5)


def test_a_pruned_neuron_adds_nothing_and_another_scenario_keeps_it():
    """Scenario 1 is told to prune the first neuron of the last layer: there its weight in the logit is idle."""
    ranker = moved("adasparse", DEEP)
    pruned = ranker.pruned
    with torch.no_grad():
        ranker.inputs.ids["scenario"].table.weight[1:] = 0.0
        ranker.inputs.ids["scenario"].table.weight[1, 0] = 1.0
        pruned.pruners[-1].weight[0] = 0.0
        pruned.pruners[-1].weight[0, 0] = -50.0
        pruned.pruners[-1].bias[0] = 1.0
    before = {scenario: score(ranker, questions(DEEP, scenarios=[scenario])) for scenario in (1, 2)}
    with torch.no_grad():
        pruned.logit.weight[:, 0] += 3.0
    after = {scenario: score(ranker, questions(DEEP, scenarios=[scenario])) for scenario in (1, 2)}
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(before[2], after[2])


def test_what_is_pruned_is_told_a_row_and_layer_and_by_no_other_ranker():
    logit_BK, pruned_BL = moved("adasparse", DEEP).judged(GIVEN)
    assert pruned_BL.shape == (len(GIVEN), 3)
    assert ((pruned_BL >= 0) & (pruned_BL <= 1)).all()
    torch.testing.assert_close(logit_BK, moved("adasparse", DEEP)(GIVEN))
    for kind in ("single", "shared", "shared_bottom", "mmoe", "star", "ple", "pepnet"):
        assert moved(kind, DEEP).judged(GIVEN)[1] is None


def test_sparsity_costs_nothing_within_its_bounds_and_pulls_towards_them_from_outside():
    share = torch.tensor([[0.2, 0.15], [0.0, 0.2], [0.9, 0.2]], requires_grad=True)
    loss = sparsity(share, 0.15, 0.25)
    torch.testing.assert_close(loss.detach(), torch.tensor([0.0, 0.02, 0.245]))
    loss.sum().backward()
    assert torch.equal(share.grad.sign(), torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]))


def test_the_regulariser_reaches_the_pruners():
    ranker = moved("adasparse", DEEP)
    names = moved_by(sparsity(ranker.judged(GIVEN)[1], 0.9, 1.0).sum(), ranker)
    assert {f"pruned.pruners.{place}.weight" for place in range(3)} <= names
    assert not any(name.startswith("pruned.logit") for name in names)


@pytest.mark.parametrize("kind", ["shared", "mmoe", "star"])
def test_files_of_the_other_rankers_name_what_they_named_before(kind, tmp_path):
    save_ranker(new_ranker(kind, DEEP, 1), tmp_path)
    kept = json.loads((tmp_path / "ranker.json").read_text())
    names = "users items scenarios tags categories numbers dim hidden tower experts dropout tasks outcomes pairs tastes"
    names += " heads encoder layers recent types features"
    assert sorted(kept["sizes"]) == sorted(names.split(" "))
