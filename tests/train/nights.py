"""Nights on tiny lakes, run as the pipeline runs them, but without Spark."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from tests.lakes import last_day, tiny_config, tiny_lake

from landbridge.config import Config
from landbridge.lake.lake import Lake
from landbridge.step import Night

DAYS = 30


def night_of(
    root: Path, *overrides: str, ds: dt.date | None = None, lines: list[str] | None = None, **night: Any
) -> Night:
    """A night on a tiny lake under `root`, which is written if it is not there; `lines` collects what it says."""
    config = tiny_config(root, *overrides)
    if not (root / "lake").exists():
        tiny_lake(root, config, days=DAYS)
    return night_on(config, ds or last_day(config, DAYS), lines, **night)


def night_on(config: Config, ds: dt.date, lines: list[str] | None = None, **night: Any) -> Night:
    """A night on a lake that exists."""
    models = Path(config.folder) / "models" / ds.isoformat()
    models.mkdir(parents=True, exist_ok=True)
    say = (lines if lines is not None else []).append
    given = {"fingerprint": "one", **night}
    return Night(
        config, ds, Lake(config), _no_spark, say, models, Path(config.folder) / "reports" / ds.isoformat(), **given
    )


def _no_spark() -> Any:
    raise AssertionError("training must not start Spark")
