"""Partial pooling of networks: the mean of a joint network's probability and that of the scenario's own network.

As `trees_pooling` is of trees. Both are the contenders of the same group of networks, with the same seeds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.rankers import RankerSettings
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.network import PointNetwork, PointNetworkFitted
from landbridge.feed.rows import Rows


@dataclass(frozen=True)
class PooledFitted(PointFitted):
    """A joint network, and networks of single scenarios by their ids; a scenario without one has the joint alone."""

    kind: ClassVar[str] = "pooled_network"

    joint: PointNetworkFitted
    alone: Mapping[int, PointNetworkFitted]
    weight: float
    """Of the joint network."""

    def probability(self, rows: Rows) -> NDArray[np.float32]:
        """Return the probability of every row, shape N."""
        both_N = self.joint.probability(rows)
        for scenario, network in self.alone.items():
            own_N = rows.scenario_N == scenario
            if own_N.any():
                own = network.probability(rows.take(own_N))
                both_N[own_N] = self.weight * both_N[own_N] + (1.0 - self.weight) * own
        return both_N

    def save(self, folder: Path) -> None:
        """Write a folder a network, and pooled.json."""
        alone = {f"alone_{code}": one for code, one in self.alone.items()}
        for name, network in {"joint": self.joint, **alone}.items():
            (folder / name).mkdir()
            network.save(folder / name)
        (folder / "pooled.json").write_text(json.dumps({"weight": self.weight}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / "pooled.json").read_text(encoding="utf-8"))
        places = sorted(folder.glob("alone_*"))
        alone = {int(place.name.removeprefix("alone_")): PointNetworkFitted.load(place) for place in places}
        return cls(PointNetworkFitted.load(folder / "joint"), alone, float(facts["weight"]))


@dataclass(frozen=True)
class PooledNetworks(PointContender):
    """The given weight of the joint network and the rest of the scenario's own."""

    ranker_kind: str
    settings: RankerSettings
    weight: float
    crosses = True
    pooled = True
    seeded = True
    sections = ("pointwise.contenders.networks", "features.scenario")

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return "_".join(filter(None, [self.ranker_kind, self.settings.suffix, "pooling"]))

    def left_out(self, view: PointView) -> str | None:
        """Return why not: as for the joint network."""
        return self._joint.left_out(view)

    def fit(self, view: PointView) -> PooledFitted:
        """Fit the joint network, then one for each scenario."""
        alone = PointNetwork("single", "joint", self.settings)
        own = {
            view.rows.coding.scenario(name): alone.fit(replace(view, scope=name))
            for name in view.rows.scenarios
            if alone.left_out(replace(view, scope=name)) is None
        }
        return PooledFitted(self._joint.fit(view), own, self.weight)

    @property
    def _joint(self) -> PointNetwork:
        return PointNetwork(self.ranker_kind, "joint", self.settings)


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module: one for each kind of every group that has a weight of pooling."""
    assert config.pointwise is not None
    groups = [group for group in config.pointwise.contenders.networks if group.pooling is not None]
    return [
        PooledNetworks(kind, group, group.pooling)
        for group in groups
        for kind in group.kinds
        if kind != "single" and group.pooling is not None
    ]
