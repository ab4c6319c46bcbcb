"""An initialisation that adapts in a step, scenarios being the tasks: first-order MAML (Finn et al. 2017, section 5.2).

`Initialisation` is fitted once, from the source's networks, on the examples of all scenarios (`train.tasks`); `Meta`
continues it on the target, as fine_tune continues the source's networks.
"""

from __future__ import annotations

from landbridge.models.networks import Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer.base import Crossing, taken_for_source
from landbridge.transfer.fine_tune import FineTune


class Initialisation(FineTune):
    """What every target's meta begins from. Its name begins with an underscore: it is no contender itself."""

    name = "_meta"
    pooled = True
    tasks = True

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the source's networks that takes every scenario for the source."""
        everywhere = [Crossing(crossing.source, scenario) for scenario in range(1, sizes.scenarios)]
        return taken_for_source(self.needed(source), sizes, seed, *everywhere)


class Meta(FineTune):
    """The initialisation, all of its weights learned on."""

    name = "meta"
    begins = Initialisation.name

    def start(self, source: Networks | None, sizes: Sizes, seed: int, crossing: Crossing) -> Networks:
        """Return a copy of the initialisation, which has met the target already."""
        return self.needed(source).copy(sizes, seed)
