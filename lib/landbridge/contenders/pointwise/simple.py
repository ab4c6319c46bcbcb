"""All contenders of pointwise tasks. A module that has some is named here and offers ``contenders(config)``."""

from __future__ import annotations

import importlib

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender
from landbridge.errors import ConfigError

_MODULES = ("constant", "logistic", "trees")
"""Modules of this package, in the order of the tables."""


def all_pointwise(config: Config, only: list[str] | None = None) -> list[PointContender]:
    """Return the contenders named by `only`, or else by ``pointwise.contenders.names``, or else all, in their order.

    Raises
    ------
    ConfigError
        The task is not pointwise, or a name is none of a contender.
    """
    if config.pointwise is None:
        raise ConfigError(f"{config.name} is no pointwise task: its configuration has no section pointwise")
    modules = [importlib.import_module(f"{__package__}.{name}") for name in _MODULES]
    known: dict[str, PointContender] = {one.name: one for module in modules for one in module.contenders(config)}
    wanted = only if only is not None else config.pointwise.contenders.names
    missing = sorted(set(wanted or ()) - set(known))
    if missing:
        raise ConfigError(f"there is no pointwise contender {', '.join(missing)}; contenders: {', '.join(known)}")
    return [one for name, one in known.items() if wanted is None or name in wanted]
