"""A variational autoencoder over interactions that scenarios share, each with a decoder of its own (Mult-VAE, Liang et
al. 2018; `models.generative`).

It is fitted once on the examples of all scenarios, like joint, and does not begin from the source: what is shared is
one distribution of users and one decoder, and a source that was fitted without drawing has neither. The scenarios' own
decoders can only be told from the shared one where the shared one learns from all. The ranker is that of joint.
"""

from __future__ import annotations

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing
from landbridge.transfer.joint import Joint


class Generative(Joint):
    """Fresh weights; users are drawn in training, and the divergence of what they are drawn from is added."""

    name = "generative"

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return fresh networks with a generative retriever, whatever the source."""
        return super().start(source, sizes, seed, crossing).generative(seed)
