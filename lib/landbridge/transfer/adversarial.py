"""Users of source and target are made hard to tell apart by a discriminator (DANN, Ganin et al. 2016, equation 9).

Both scenarios' labels are known here, and both losses stand beside that of the discriminator.
"""

from __future__ import annotations

from landbridge.config.crossing import Crossings
from landbridge.models.adversary import Adversary
from landbridge.models.likeness import Likeness
from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.models.together import Together
from landbridge.transfer.base import Crossing
from landbridge.transfer.fine_tune import FineTune


class Adversarial(FineTune):
    """Fine-tuning with the source's examples beside the target's, under a reversed gradient."""

    name = "adversarial"
    beside = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks with a discriminator."""
        return super().start(source, sizes, seed, crossing).changed("adversarial", seed)

    def likeness(self, given: Crossings, ranks: Together) -> Likeness:
        """Return the discriminator's loss."""
        return Adversary(given.adversarial.weight, given.adversarial.steepness)
