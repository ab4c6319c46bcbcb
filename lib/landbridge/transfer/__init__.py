"""How a source's networks become a target's: one strategy a file, one interface, one conformance suite."""

from __future__ import annotations

from landbridge.errors import ConfigError
from landbridge.transfer.adversarial import Adversarial
from landbridge.transfer.align import Align
from landbridge.transfer.base import Crossing, Strategy
from landbridge.transfer.beside import Fusion, Side
from landbridge.transfer.bridge import Bridge
from landbridge.transfer.by_scenario import AdaSparse, PepNet, Ple
from landbridge.transfer.fine_tune import FineTune
from landbridge.transfer.freeze import Freeze
from landbridge.transfer.generative import Generative
from landbridge.transfer.graph import Graph
from landbridge.transfer.joint import Joint
from landbridge.transfer.low_rank import LowRank
from landbridge.transfer.meta import Initialisation, Meta
from landbridge.transfer.prompt import Prompt
from landbridge.transfer.target_only import TargetOnly
from landbridge.transfer.zero_shot import ZeroShot

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        TargetOnly,
        Joint,
        ZeroShot,
        FineTune,
        Freeze,
        LowRank,
        Prompt,
        Side,
        Fusion,
        Adversarial,
        Align,
        Meta,
        Bridge,
        Generative,
        Graph,
        Ple,
        PepNet,
        AdaSparse,
    )
}
"""Every strategy by its published name."""
BEGINNINGS: dict[str, type[Strategy]] = {Initialisation.name: Initialisation}
"""What others begin from: fitted like strategies, and published by none."""


def strategy_of(name: str) -> Strategy:
    """Return the strategy of a name."""
    found = (STRATEGIES | BEGINNINGS).get(name)
    if found is None:
        raise ConfigError(f"transfer.strategies: there is no {name}; strategies: {', '.join(STRATEGIES)}")
    return found()


__all__ = ["BEGINNINGS", "STRATEGIES", "Crossing", "Strategy", "TargetOnly", "strategy_of"]
