"""What a network is asked to make small: from one rank's batch to a sum of losses and the weight behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landbridge.config.rankers import Sparsity
from landbridge.feed.batches import Batch, Loader
from landbridge.feed.negatives import shared_negatives
from landbridge.feed.states import own_features
from landbridge.models.contrast import Contrast
from landbridge.models.histories import Histories, histories_of
from landbridge.models.losses import binary, sampled_softmax, sparsity
from landbridge.models.noise import Noise
from landbridge.models.ranker import Ranker
from landbridge.models.retriever import Retriever
from landbridge.models.views import some_viewed

REMEMBERED = 1 << 26
"""Numbers of item features kept by day; a catalogue too large for it is looked up step by step."""


class Objective(ABC):
    """A network, its loader, and the loss between them."""

    network: nn.Module
    loader: Loader

    @property
    def steps(self) -> int:
        """Steps of an epoch, equal on every rank."""
        return self.loader.steps

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield what `loss` takes, step by step."""
        return self.loader.epoch(epoch)

    @abstractmethod
    def loss(self, batch: Batch, epoch: int) -> tuple[Tensor, float]:
        """Return the sum of weighted losses of this rank's examples, and the sum of their weights."""


@dataclass
class Retrieving(Objective):
    """Sampled softmax over the scenario's catalogue, of the items that a user takes for the first time.

    What he has is never recommended, so it is neither learned from nor drawn. `contrast` adds the loss that tells two
    views of a history from those of others.
    """

    network: Retriever
    loader: Loader
    seed: int
    shared: int
    scenario: int
    contrast: Contrast = field(default_factory=Contrast)
    _features: dict[int, Tensor] = field(default_factory=dict)

    def loss(self, batch: Batch, epoch: int) -> tuple[Tensor, float]:
        """Return the loss against negatives that all examples of the step share."""
        weight_B = torch.from_numpy(batch.weight_B * batch.had_B * batch.new_B)
        drawn, logq = shared_negatives(self.loader.distribution, self.seed, epoch, batch.step, self.shared)
        whole = histories_of(batch.states)
        histories = some_viewed(whole, self.contrast.augment, self.seed, epoch)
        noise = Noise(whole.keys(), self.seed, epoch, batch.step)
        user_HW, beside_H = self.users(histories, noise, epoch, batch.step)
        row_B, item_B = torch.from_numpy(batch.pointer_B), torch.from_numpy(batch.item_B.astype(np.int64))
        positive_BW = self.network.items(item_B, torch.from_numpy(batch.feature_BNG[:, 0]), noise)
        shared_N = torch.from_numpy(drawn.astype(np.int64))
        score_HN = self.network.scores(user_HW, shared_N, self._as_of(batch, drawn), noise)
        # A rank without examples has one row of padding, of which the store knows nothing.
        blocked_HN = self.loader.had(batch, drawn) if len(batch.history_H) else np.zeros(score_HN.shape, np.bool_)
        loss_B = sampled_softmax(
            (user_HW[row_B] * positive_BW).sum(1),
            score_HN,
            row_B,
            item_B,
            shared_N,
            torch.from_numpy(logq),
            torch.from_numpy(blocked_HN),
        )
        loss = ((loss_B + beside_H[row_B]) * weight_B).sum() + self.contrast.loss_of(
            self.network, whole, row_B, weight_B, self.seed, epoch, batch.step
        )
        return loss, float(weight_B.sum())

    def users(self, histories: Histories, noise: Noise, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return user_HW, and what each history adds to the loss of each of its examples, H."""
        return self.network.users(histories, noise), torch.zeros(len(histories))

    def _as_of(self, batch: Batch, drawn: NDArray[np.int32]) -> Tensor:
        """Return features HNG of the drawn items as of the day of each history."""
        day_H = np.zeros(len(batch.states), np.int64)
        day_H[batch.pointer_B] = batch.day_B
        catalogue = self.loader.distribution.items
        days, which_H = np.unique(day_H, return_inverse=True)
        width = self.loader.assembler.n_item_features
        if (len(self._features) + len(days)) * len(catalogue) * width > REMEMBERED:
            return torch.from_numpy(np.stack([self._look_up(drawn, day) for day in days]))[torch.from_numpy(which_H)]
        for day in days:
            if int(day) not in self._features:
                self._features[int(day)] = torch.from_numpy(self._look_up(catalogue, day))
        place_N = torch.from_numpy(np.searchsorted(catalogue, drawn))
        feature_DNG = torch.stack([self._features[int(day)][place_N] for day in days])
        return feature_DNG.expand(len(day_H), -1, -1) if len(days) == 1 else feature_DNG[torch.from_numpy(which_H)]

    def _look_up(self, items: NDArray[np.int32], day: np.int64) -> NDArray[np.float32]:
        feature_NG = self.loader.assembler.item_features(items, self.scenario, int(day))
        if self.loader.own_only:
            feature_NG = own_features(feature_NG)
        return feature_NG


@dataclass
class Ranking(Objective):
    """Cross entropy of each outcome, and of the negatives drawn for a positive one.

    A repeated purchase is left out, as in `Retrieving`; what was logged without success always counts. `contrast` is as
    there. Where layers are pruned, `sparsity` bounds how much.
    """

    network: Ranker
    loader: Loader
    seed: int
    contrast: Contrast = field(default_factory=Contrast)
    sparsity: Sparsity = field(default_factory=Sparsity)

    def loss(self, batch: Batch, epoch: int) -> tuple[Tensor, float]:
        """Return the loss over the example and its drawn negatives."""
        label_B = batch.outcome_B > 0
        weight_B = torch.from_numpy(batch.weight_B * (batch.new_B | ~label_B))
        whole = histories_of(batch.states)
        histories = some_viewed(whole, self.contrast.augment, self.seed, epoch)
        item_BK = torch.from_numpy(np.concatenate([batch.item_B[:, None], batch.negative_BN], axis=1).astype(np.int64))
        drawn_BN = (batch.negative_weight_BN > 0) & label_B[:, None]
        counted_BK = torch.from_numpy(np.concatenate([np.ones((len(label_B), 1), bool), drawn_BN], axis=1))
        noise, row_B = Noise(whole.keys(), self.seed, epoch, batch.step), torch.from_numpy(batch.pointer_B)
        logit_BK = self.network(histories, row_B, item_BK, torch.from_numpy(batch.feature_BNG), noise)
        loss_B = binary(logit_BK, torch.from_numpy(label_B.astype(np.float32)), counted_BK)
        if self.network.pruned_BKL is not None:
            loss_B = loss_B + self.sparsity.weight * self._beyond(self.network.pruned_BKL, counted_BK)
        loss = (loss_B * weight_B).sum() + self.contrast.loss_of(
            self.network, whole, row_B, weight_B, self.seed, epoch, batch.step
        )
        return loss, float(weight_B.sum())

    def _beyond(self, pruned_BKL: Tensor, counted_BK: Tensor) -> Tensor:
        """Return how far from the bounds the share is that is pruned for the candidates that count, B."""
        cost_BK = sparsity(pruned_BKL.flatten(0, 1), self.sparsity.low, self.sparsity.high).view(counted_BK.shape)
        return torch.as_tensor((cost_BK * counted_BK).sum(1) / counted_BK.sum(1))
