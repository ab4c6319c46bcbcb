"""The loss of a generative retriever: that of retrieving, and the divergence of what users are drawn from.

Its weight rises from nothing to beta while the fit runs (annealing: Liang et al. 2018, section 2.2), so that users
have learned to tell something before they are drawn together.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from landbridge.models.generative import RetrieverGenerative
from landbridge.models.histories import Histories
from landbridge.models.noise import Noise
from landbridge.train.objectives import Retrieving


@dataclass(kw_only=True)
class Generating(Retrieving):
    """Sampled softmax of a user who is drawn, as the paper's multinomial likelihood, and beta times the divergence.

    Attributes
    ----------
    beta
        The weight of the divergence when it has risen.
    rise
        Epochs over which it rises, 0 where it has risen in an earlier fit.
    """

    beta: float
    rise: float

    def users(self, histories: Histories, noise: Noise, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Return user_HW, drawn, and the weighed divergence, H."""
        network: RetrieverGenerative = self.network  # type: ignore[assignment]
        user_HD, divergence_H = network.drawn(histories, noise)
        return network.pointed(user_HD), self.weight(epoch, step) * divergence_H

    def weight(self, epoch: int, step: int) -> float:
        """Return the weight of the divergence at a step."""
        done = epoch + step / self.steps
        return self.beta if done >= self.rise else self.beta * done / self.rise
