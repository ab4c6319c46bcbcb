"""SharedBottom: one body, a tower a scenario (Caruana 1997, section 1; Ma et al. 2018, section 3.1, equation 1)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from landbridge.models.rankers.base import PointRanker
from landbridge.models.rankers.inputs import Given
from landbridge.models.rankers.layers import Drop, Stack, Tower, by_scenario
from landbridge.models.rankers.sizes import RankerSizes


class SharedBottom(PointRanker):
    """y_s = h_s(f(x)), with f shared and h_s the scenario's own."""

    kind: ClassVar[str] = "shared_bottom"

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__(sizes)
        self.bottom = Stack(self.inputs.width, sizes.hidden)
        towers = [Tower(self.bottom.out, sizes.tower, sizes.tasks) for _ in range(sizes.scenarios - 1)]
        self.towers = nn.ModuleList(towers)

    def read(self, given: Given, drop: Drop | None) -> Tensor:
        """Return logit_BK of the towers."""
        body_BW = self.bottom(given.hidden_BW, drop)

        def answer(scenario: int, rows: Tensor) -> Tensor:
            return self.towers[scenario - 1](body_BW[rows], drop)  # type: ignore[no-any-return]

        return by_scenario(given.scenario_B, self.sizes.scenarios, answer)
