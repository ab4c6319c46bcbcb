"""How a ranker of rows crosses from the source to a target: one strategy a file, one interface, one conformance suite.

Of the strategies of lists, `generative` is not among them: it models which of all items a user takes, and a row asks
about one.
"""

from __future__ import annotations

from landbridge.contenders.pointwise.crossing.alike import Adversarial, Align
from landbridge.contenders.pointwise.crossing.base import FromSource, RowStrategy
from landbridge.contenders.pointwise.crossing.beside import Fusion, Side
from landbridge.contenders.pointwise.crossing.bridge import Bridged
from landbridge.contenders.pointwise.crossing.fine_tune import FineTune
from landbridge.contenders.pointwise.crossing.freeze import Freeze
from landbridge.contenders.pointwise.crossing.graph import Connected
from landbridge.contenders.pointwise.crossing.joint import Joint
from landbridge.contenders.pointwise.crossing.low_rank import LowRank
from landbridge.contenders.pointwise.crossing.meta import Meta
from landbridge.contenders.pointwise.crossing.prompt import Prompt
from landbridge.contenders.pointwise.crossing.target_only import TargetOnly
from landbridge.contenders.pointwise.crossing.zero_shot import ZeroShot
from landbridge.errors import ConfigError

ROW_STRATEGIES: dict[str, type[RowStrategy]] = {
    strategy.name: strategy
    for strategy in (
        Joint,
        TargetOnly,
        ZeroShot,
        FineTune,
        Freeze,
        LowRank,
        Side,
        Fusion,
        Bridged,
        Connected,
        Adversarial,
        Align,
        Meta,
        Prompt,
    )
}
"""Every strategy of rows by its published name."""


def strategy_of(name: str) -> RowStrategy:
    """Return the strategy of a name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in ROW_STRATEGIES:
        known = ", ".join(ROW_STRATEGIES)
        raise ConfigError(f"pointwise.contenders.networks.strategies: there is no {name}; strategies: {known}")
    return ROW_STRATEGIES[name]()


__all__ = ["ROW_STRATEGIES", "FromSource", "RowStrategy", "strategy_of"]
