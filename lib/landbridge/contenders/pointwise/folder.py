"""Saved pointwise contenders: a folder with ``meta.json`` and the parameters, complete if it exists."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landbridge.contenders.folder import read_meta, save_fitted
from landbridge.contenders.pointwise.base import PointFitted
from landbridge.errors import LakeError

_HOME = "landbridge.contenders."


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
