"""A variational autoencoder over what users take: the encoder gives a distribution, a decoder scores the items.

Mult-VAE (Liang et al. 2018): a user's vector is drawn from N(mean, variance) in training and is the mean in scoring;
the decoder gives a multinomial over items; what is made small is its loss and beta times the divergence of the
distribution from N(0, I), beta rising from nothing while the fit runs (section 2.2 there). The multinomial is the
retriever's sampled softmax, and its user tower the encoder, which reads events in their order.

All scenarios share the decoder's items E. One of a scenario's own stands beside it, E M_s with M_s at zero in the
beginning: of few numbers for a scenario, whatever the catalogue, so that a small one can learn them. It is computed on
the user's side, (E + E M_s) z = E (z + M_s z), and so candidates are still one matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landbridge.models.encoder import Table
from landbridge.models.histories import Histories
from landbridge.models.initial import initialise
from landbridge.models.noise import Noise
from landbridge.models.retriever import Retriever

SURE = -4.0
"""Log variance in the beginning: draws that lie near the mean, or nothing would be learned through them."""


class RetrieverGenerative(Retriever):
    """A retriever whose users are drawn, and whose items each scenario reads by a map of its own."""

    def __init__(self, plain: Retriever, seed: int) -> None:
        super().__init__(plain.sizes)
        self.load_state_dict(plain.state_dict())
        dim = plain.sizes.dim
        self.log_variance = nn.Linear(dim, dim)
        initialise(self.log_variance, seed)
        nn.init.constant_(self.log_variance.bias, SURE)
        self.own = Table(plain.sizes.scenarios, dim * dim)
        nn.init.zeros_(self.own.table.weight)

    def encoded(self, histories: Histories, noise: Noise | None = None) -> Tensor:
        """Return user_HD, what `drawn` returns first."""
        return self.drawn(histories, noise)[0]

    def drawn(self, histories: Histories, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Return user_HD, drawn and decoded by the scenario's own part, and divergence_H of what it is drawn from.

        Without noise it is the mean that is decoded.
        """
        mean_HD = super().encoded(histories, noise)
        log_variance_HD = self.log_variance(mean_HD)
        user_HD = mean_HD
        if noise is not None:
            drawn_HD = noise.normal("drawn", mean_HD.shape[1])
            user_HD = mean_HD + torch.exp(0.5 * log_variance_HD) * drawn_HD
        return self._decoded(user_HD, histories.scenario_H), divergence(mean_HD, log_variance_HD)

    def _decoded(self, user_HD: Tensor, scenario_H: Tensor) -> Tensor:
        """Return z + M_s z of every row; a batch mostly asks about one scenario."""
        scenario_S, place_H = torch.unique(scenario_H, return_inverse=True)
        map_SDD = self.own(scenario_S).view(-1, user_HD.shape[1], user_HD.shape[1])
        moved_SHD = torch.einsum("hd,sed->she", user_HD, map_SDD)
        return user_HD + moved_SHD[place_H, torch.arange(len(place_H))]


def divergence(mean_HD: Tensor, log_variance_HD: Tensor) -> Tensor:
    """Return divergence_H of N(mean, variance) from N(0, I), by Kullback and Leibler (Kingma and Welling 2014, appendix
    B).
    """
    return 0.5 * (torch.exp(log_variance_HD) + mean_HD**2 - 1.0 - log_variance_HD).sum(1)
