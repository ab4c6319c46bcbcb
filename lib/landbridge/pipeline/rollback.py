"""Publishes an earlier version again: for all scenarios by moving the alias, for one by a version of its own."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path

from landbridge.config.schema import Config
from landbridge.errors import ConfigError
from landbridge.pipeline.lock import locked
from landbridge.pipeline.night import night_of


def rollback(config: Config, version: str, scenario: str | None, wait: float = 0.0) -> str:
    """Make `version` what is published, for one scenario or for all; return a sentence that says what changed.

    Raises
    ------
    ConfigError
        There is no such version.
    LakeError
        The version has no route for the scenario.
    """
    from landbridge.tracking import registry

    known = registry.versions(config)
    if version not in {one.version for one in known}:
        have = ", ".join(one.version for one in known) or "none"
        raise ConfigError(f"--to {version}: models:/{config.name} has no such version; versions: {have}")
    with locked(night_of(config, config.data.reader.first_day, print).lake, wait):
        if scenario is None:
            registry.publish(config, version)
            return f"models:/{config.name}@{registry.CHAMPION} is version {version} for every scenario"
        made = _with_route(config, version, scenario)
        name = f"models:/{config.name}@{registry.CHAMPION}"
        return f"{name} is version {made}: {scenario} as in version {version}, the others unchanged"


def _with_route(config: Config, version: str, scenario: str) -> str:
    """Register the champion's bundle with the scenario's route out of `version`; it belongs to the champion's night."""
    from landbridge.contenders.bundle import compose
    from landbridge.tracking import registry
    from landbridge.tracking.run import Tracker

    champion = next(one for one in registry.versions(config) if registry.CHAMPION in one.aliases)
    ds = dt.date.fromisoformat(champion.ds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = registry.download(config, champion.version, folder / "base")
        other = registry.download(config, version, folder / "other")
        bundle = compose(base, other, [scenario], folder / "bundle")
        tracker = Tracker.open(config, ds, print)
        made = registry.register(replace(night_of(config, ds, print), run_id=tracker.run_id), bundle)
        registry.publish(config, made)
        tracker.close()
    return made
