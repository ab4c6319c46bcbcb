"""All contenders of pointwise tasks. A module that has some is named here and offers ``contenders(config)``."""

from __future__ import annotations

import importlib

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender
from landbridge.errors import ConfigError

_MODULES = ("constant", "logistic", "trees", "network", "pooled", "average", "blend", "distilled")
"""Modules of this package, in the order of the tables."""


def known_pointwise(config: Config) -> dict[str, PointContender]:
    """Return every contender there is for the configuration, by name, in the order of the tables.

    Raises
    ------
    ConfigError
        The task is not pointwise.
    """
    if config.pointwise is None:
        raise ConfigError(f"{config.name} is no pointwise task: its configuration has no section pointwise")
    modules = [importlib.import_module(f"{__package__}.{name}") for name in _MODULES]
    return {one.name: one for module in modules for one in module.contenders(config)}


def all_pointwise(config: Config) -> list[PointContender]:
    """Return the contenders named by ``pointwise.contenders.names``, all when it is left out, in their order.

    Raises
    ------
    ConfigError
        The task is not pointwise, or a name is none of a contender.
    """
    known = known_pointwise(config)
    assert config.pointwise is not None
    wanted = config.pointwise.contenders.names
    missing = sorted(set(wanted or ()) - set(known))
    if missing:
        raise ConfigError(
            f"pointwise.contenders.names: there is no contender {', '.join(missing)}; contenders: {', '.join(known)}"
        )
    return [one for name, one in known.items() if wanted is None or name in wanted]
