"""Weights of 8 bits: what is rounded, how far, and that files hold exactly what scored."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tests.conformance.test_rankers import PLAIN, moved, questions, score

from landbridge.models.rankers import RANKERS, new_ranker, read_ranker, save_ranker
from landbridge.models.rankers.int8 import LARGEST, packed, rounded, unpacked


@given(st.integers(0, 10_000), st.floats(-20, 20))
def test_rounding_moves_a_weight_by_less_than_a_127th_of_its_rows_largest_and_twice_changes_nothing(seed, scale):
    weight_RW = torch.randn(6, 9, generator=torch.Generator().manual_seed(seed)) * 2.0**scale
    once = rounded({"matrix": weight_RW})["matrix"]
    most_R1 = weight_RW.abs().amax(1, keepdim=True)
    assert ((once - weight_RW).abs() <= most_R1 / LARGEST).all()
    assert torch.equal(rounded({"matrix": once})["matrix"], once)


def test_rows_have_scales_of_their_own_zeros_stay_zero_and_vectors_stay_as_they_are():
    weights = {"m": torch.tensor([[1000.0, -3.0], [1e-4, 5e-5], [0.0, 0.0]]), "bias": torch.tensor([0.123456789])}
    held = packed(weights)
    assert held["m"].dtype == held["m.power"].dtype == torch.int8
    assert held["m.power"].shape == (3, 1)
    found = unpacked(held)
    assert torch.equal(found["bias"], weights["bias"])
    torch.testing.assert_close(found["m"][1], weights["m"][1], atol=1e-6, rtol=0)
    assert not found["m"][2].any()
    assert set(found) == set(weights)


@pytest.mark.parametrize("kind", RANKERS)
def test_a_rounded_ranker_is_saved_in_8_bits_and_scores_the_same_bits_when_it_is_loaded(kind, tmp_path):
    ranker, less, asked = moved(kind, PLAIN), new_ranker(kind, PLAIN, 0), questions(PLAIN)
    less.load_state_dict(rounded(ranker.state_dict()))
    before, after = score(ranker, asked), score(less, asked)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, before, atol=0.15, rtol=0.05)
    save_ranker(less, tmp_path, int8=True)
    held = load_file(tmp_path / "ranker.safetensors")
    assert all(value.dtype == torch.int8 for value in held.values() if value.dim() > 1)
    assert torch.equal(score(read_ranker(tmp_path), asked), after)
