"""Fitted contenders of pointwise tasks in a night's folders: the same layout as for lists, beside the ids of each fit.

fits/<fit>/coding.json                          the ids of the rows that the fit learned from
fits/<fit>/<scope>/<contender>/meta.json, ...   complete if it exists
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landbridge.config.schema import Config
from landbridge.contenders.folder import read_meta, save_fitted
from landbridge.contenders.pointwise.base import PointContender, PointFitted
from landbridge.contenders.pointwise.simple import all_pointwise, known_pointwise
from landbridge.errors import ConfigError, LakeError

CODING = "coding.json"
_HOME = "landbridge.contenders."


def competing(config: Config) -> list[PointContender]:
    """Return the contenders of a night, in the order of the tables.

    Raises
    ------
    ConfigError
        ``scores.contenders`` names one that there is not.
    """
    wanted = config.scores.contenders
    if wanted is None:
        return all_pointwise(config)
    known = known_pointwise(config)
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise ConfigError(
            f"scores.contenders: there is no contender {', '.join(missing)}; contenders: {', '.join(known)}"
        )
    return [one for name, one in known.items() if name in wanted]


def save_point(fitted: PointFitted, folder: Path, meta: Mapping[str, Any]) -> None:
    """Write a fitted contender, replacing the folder; it appears complete or not at all."""
    save_fitted(fitted, folder, {**meta, "module": type(fitted).__module__, "class": type(fitted).__name__})


def load_point(folder: Path) -> PointFitted:
    """Read what `save_point` wrote; nothing is unpickled.

    Raises
    ------
    LakeError
        The folder holds no fitted contender of this package.
    """
    meta = read_meta(folder)
    module, name = str(meta.get("module", "")), str(meta.get("class", ""))
    if module.startswith(_HOME):
        found = getattr(importlib.import_module(module), name, None)
        if isinstance(found, type) and issubclass(found, PointFitted):
            return found.load(folder)
    raise LakeError(f"{folder}: {module}.{name} is no fitted pointwise contender of this package")
