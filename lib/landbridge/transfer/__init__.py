"""How a source's networks become a target's: one strategy a file, one interface, one conformance suite."""

from __future__ import annotations

from landbridge.errors import ConfigError
from landbridge.transfer.base import Crossing, Strategy
from landbridge.transfer.beside import Fusion, Side
from landbridge.transfer.fine_tune import FineTune
from landbridge.transfer.joint import Joint
from landbridge.transfer.low_rank import LowRank
from landbridge.transfer.target_only import TargetOnly
from landbridge.transfer.zero_shot import ZeroShot

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy for strategy in (TargetOnly, Joint, ZeroShot, FineTune, LowRank, Side, Fusion)
}
"""Every strategy by its published name."""


def strategy_of(name: str) -> Strategy:
    """Return the strategy of a name."""
    if name not in STRATEGIES:
        raise ConfigError(f"transfer.strategies: there is no {name}; strategies: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()


__all__ = ["STRATEGIES", "Crossing", "Strategy", "TargetOnly", "strategy_of"]
