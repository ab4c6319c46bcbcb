"""Single: one scenario alone, which it need not be told. The control of every multi-scenario ranker."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given
from landbridge.models.rankers.layers import Drop, Tower
from landbridge.models.rankers.sizes import RankerSizes


class Single(PointRanker):
    """A deep network over embeddings beside a wide part (Cheng et al. 2016, section 3); it has no scenario."""

    kind: ClassVar[str] = "single"
    with_scenario: ClassVar[bool] = False

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__(sizes)
        self.tower = Tower(self.inputs.width, (*sizes.hidden, *sizes.tower), sizes.tasks)

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK."""
        return self.tower(given.hidden_BW, drop)  # type: ignore[no-any-return]
