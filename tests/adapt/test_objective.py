"""The loss of pairs: what it is, who is no negative, and that ranks make of it what one makes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.adapt.titles import SMALL, pairs_table
from tests.train.together import together

from landbridge.adapt.adapters import adapted, learning
from landbridge.adapt.held import HeldOut
from landbridge.adapt.objective import Pairing, alike
from landbridge.config.text import Encode
from landbridge.config.tuned import TuneEncoder
from landbridge.encode.encoder import find
from landbridge.feed.pairs import Pairs
from landbridge.models.losses import paired
from landbridge.train.ranks import Alone

NONE = torch.zeros(3)


def test_the_loss_is_the_cross_entropy_of_both_directions():
    first, second = torch.randn(3, 5), torch.randn(3, 5)
    cosine = torch.nn.functional.cosine_similarity(first[:, None], second[None], dim=2) / 0.1
    own = torch.arange(3)
    entropy = torch.nn.functional.cross_entropy
    wanted = 0.5 * (entropy(cosine, own, reduction="none") + entropy(cosine.T, own, reduction="none"))
    torch.testing.assert_close(paired(first, second, torch.eye(3, dtype=torch.bool), NONE, 0.1), wanted)


def test_who_is_alike_is_no_negative():
    first, second = torch.randn(3, 5), torch.randn(3, 5)
    alike_BB = torch.eye(3, dtype=torch.bool)
    alike_BB[0, 1] = alike_BB[1, 0] = True
    loss_B = paired(first, second, alike_BB, NONE, 0.1)
    without = paired(first[[0, 2]], second[[0, 2]], torch.eye(2, dtype=torch.bool), NONE[:2], 0.1)
    torch.testing.assert_close(loss_B[0], without[0])


def test_a_common_text_is_a_lighter_negative_where_it_is_corrected():
    first, second = torch.randn(3, 5), torch.randn(3, 5)
    eye = torch.eye(3, dtype=torch.bool)
    plain, lighter = (paired(first, second, eye, logq, 0.1) for logq in (NONE, torch.tensor([0.0, 0.0, 3.0])))
    assert (lighter[:2] <= plain[:2]).all()


def test_pairs_of_a_user_and_pairs_with_a_common_text_are_alike():
    table = pa.table({"user": [1, 1, 2, 3], "first": ["a", "c", "e", "b"], "second": ["b", "d", "f", "g"]})
    pairs = Pairs.of(table)
    wanted = np.eye(4, dtype=bool)
    wanted[0, 1] = wanted[1, 0] = wanted[0, 3] = wanted[3, 0] = True
    np.testing.assert_array_equal(alike(pairs, np.arange(4)), wanted)


def test_a_common_text_has_the_share_of_its_pairs():
    pairs = Pairs.of(pa.table({"user": [1, 2], "first": ["a", "a"], "second": ["b", "c"]}))
    np.testing.assert_allclose(np.exp(pairs.logq()), [0.5, 0.25, 0.25], rtol=1e-6)


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_together_have_the_loss_the_gradient_and_the_questions_of_one(size):
    pairs, settings = Pairs.of(pairs_table().select(["user", "first", "second"])), Encode(text="title")

    def gradient(ranks):
        tune = TuneEncoder(**SMALL)
        encoder = adapted(find(settings), settings, tune)
        for name, value in learning(encoder).items():
            if name.endswith("high"):
                value.data.fill_(0.01)
        objective = Pairing(encoder, pairs, tune, ranks)
        loss, weight = objective.loss(next(objective.batches(0)), 0)
        loss.backward()
        flat = torch.cat([value.grad.reshape(-1) for value in learning(encoder).values()])
        whole = ranks.sum_(torch.cat([flat, torch.stack([loss.detach(), torch.tensor(float(weight))])]))
        return whole, HeldOut(pairs, 1).ask(encoder, ranks)

    alone, asked = gradient(Alone())
    for whole, found in together(size, gradient):
        torch.testing.assert_close(whole, alone, rtol=1e-3, atol=1e-5)
        assert found.recall == asked.recall
        assert found.mrr == pytest.approx(asked.mrr)
