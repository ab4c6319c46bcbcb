"""Publishes an earlier version again: alias and newest lists or scores, of all scenarios or of one.

For one scenario a version is registered that has the champion's other routes. The newest published day is scored
again, audited, and committed as the step recommend does it; the ledger then says that this day is done and rolled
back, so that the same nightly leaves it alone. The next night publishes by the rule.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landbridge.config.schema import Config
from landbridge.errors import AuditError, ConfigError, LakeError
from landbridge.pipeline.fingerprint import fingerprint_of
from landbridge.pipeline.ledger import Ledger
from landbridge.pipeline.lock import locked
from landbridge.pipeline.night import Decision, git_revision, night_of, run_step
from landbridge.pipeline.steps import load, steps_until, table_of
from landbridge.step import Night, Outcome

if TYPE_CHECKING:
    from landbridge.recommend.compare import Moved

_ALL = ""
"""Stands for every scenario among those that are rolled back."""
_MADE_FROM = {"recommendations": ("lists", "user_state"), "scores": ("scores", "subjects")}
"""Of a published table: what a person calls its rows, and the table of the day that they are made from."""


@dataclass(frozen=True)
class _Bundle:
    """What is to be published: a folder, its version, and what was asked for."""

    folder: Path
    version: str
    to: str
    scenario: str | None

    @property
    def says(self) -> str:
        """What champion is now, in words."""
        if self.scenario is None:
            return f"version {self.version} for every scenario"
        return f"version {self.version}: {self.scenario} as in version {self.to}, the others unchanged"


def rollback(
    config: Config, version: str, scenario: str | None, say: Callable[[str], None] = print, wait: float = 0.0
) -> str:
    """Make `version` what is published, for one scenario or for all; return a sentence that says what changed.

    Raises
    ------
    ConfigError
        There is no such version.
    LakeError
        The version has no route for the scenario, or the newest lists or scores cannot be made again.
    AuditError
        What the version makes breaks a rule of the table; alias and table stay as they were.
    """
    from landbridge.tracking import registry

    _check(config, version, scenario)
    night = night_of(config, config.data.reader.first_day, say)
    with locked(night.lake, wait), tempfile.TemporaryDirectory() as temporary:
        bundle = _bundle(config, version, scenario, Path(temporary), say)
        changed = f"models:/{config.name}@{registry.CHAMPION} is {bundle.says}"
        days = night.lake.days(table_of(config))
        if not days:
            registry.publish(config, bundle.version)
            return f"{changed}; no {_MADE_FROM[table_of(config)][0]} are published yet"
        return f"{changed}; {_again(night_of(config, days[-1], say), bundle)}"


def _check(config: Config, version: str, scenario: str | None) -> None:
    from landbridge.tracking import registry

    known = registry.versions(config)
    if version not in {one.version for one in known}:
        have = ", ".join(one.version for one in known) or "none"
        raise ConfigError(f"--to {version}: models:/{config.name} has no such version; versions: {have}")
    if scenario is not None and not any(registry.CHAMPION in one.aliases for one in known):
        raise ConfigError(
            f"--scenario {scenario}: models:/{config.name} has no {registry.CHAMPION} that the others could keep: "
            "leave --scenario out"
        )


def _bundle(config: Config, version: str, scenario: str | None, folder: Path, say: Callable[[str], None]) -> _Bundle:
    from landbridge.tracking import registry

    if scenario is None:
        return _Bundle(registry.download(config, version, folder / "bundle"), version, version, None)
    made = _with_route(config, version, scenario, folder, say)
    return _Bundle(folder / "bundle", made, version, scenario)


def _with_route(config: Config, version: str, scenario: str, folder: Path, say: Callable[[str], None]) -> str:
    """Register the champion's bundle with the scenario's route out of `version`; it belongs to the champion's night."""
    from landbridge.contenders.bundle import compose
    from landbridge.tracking import registry
    from landbridge.tracking.run import Tracker

    champion = next(one for one in registry.versions(config) if registry.CHAMPION in one.aliases)
    ds = dt.date.fromisoformat(champion.ds)
    base = registry.download(config, champion.version, folder / "base")
    other = registry.download(config, version, folder / "other")
    bundle = compose(base, other, [scenario], folder / "bundle")
    tracker = Tracker.open(config, ds, say)
    made = registry.register(replace(night_of(config, ds, say), run_id=tracker.run_id), bundle)
    tracker.close()
    return made


def _again(night: Night, bundle: _Bundle) -> str:
    """Run the step recommend of the night with another bundle than its own; return how the table moved."""
    from landbridge.recommend.compare import moved
    from landbridge.tracking.run import Tracker

    table = table_of(night.config)
    rows, source = _MADE_FROM[table]
    if night.ds not in night.lake.days(source):
        raise LakeError(f"the {rows} of {night.ds} cannot be made again: {source} has no rows of that day any more")
    before = night.lake.version(table)
    step = load("recommend", night.config)
    fingerprint = fingerprint_of(step, steps_until("recommend", night.config), night, Ledger(night.lake))
    night.say(f"scoring {night.ds} again with version {bundle.version}")
    tracker = Tracker.open(night.config, night.ds, night.say, tags={"git_revision": git_revision()})
    try:
        asked = replace(step, run=lambda tonight: _run(tonight, bundle))
        run_step(Decision(asked, True, "rollback", fingerprint), night, tracker, again=True)
    except AuditError as error:
        tracker.close(failed=True)
        raise AuditError(f"nothing is rolled back, the alias stays where it is: {error}") from None
    except BaseException:
        tracker.close(failed=True)
        raise
    tracker.close()
    night.say(f"the nightly of {night.ds} leaves this as it is; the next night publishes by the rule again")
    return _sentence(moved(night.spark_lake(), table, night.ds, before), bundle, night.ds, rows)


def _run(night: Night, bundle: _Bundle) -> Outcome:
    """Publish the bundle; what is known of scenarios whose rows stay is kept."""
    from landbridge.tracking import registry

    outcome = _publisher(night.config)(
        night,
        bundle.folder,
        bundle.version,
        lambda: registry.publish(night.config, bundle.version),
        None if bundle.scenario is None else [bundle.scenario],
    )
    ledger = Ledger(night.lake)
    row, judged = ledger.last(night.ds, "recommend"), ledger.last(night.ds, "evaluate")
    before: Mapping[str, Any] = row.notes if row is not None else {}
    notes = dict(outcome.notes)
    if bundle.scenario is not None:
        counts = [name for name in ("users", "short", "subjects") if name in notes]
        notes |= {name: {**before.get(name, {}), **notes[name]} for name in counts}
    own = str(judged.notes.get("model_version", "")) if judged is not None else ""
    standing = _standing(before.get("rollback", {}).get("to", {}), own, bundle)
    if standing:
        notes["rollback"] = {"to": standing, "says": _in_words(standing)}
    return Outcome(notes, outcome.metrics)


def _publisher(config: Config) -> Callable[..., Outcome]:
    """Return what scores, audits and commits a day with a bundle: lists, or probabilities."""
    from landbridge.recommend import point_step, publish

    return publish.publish if config.pointwise is None else point_step.publish


def _standing(before: Mapping[str, str], own: str, bundle: _Bundle) -> dict[str, str]:
    """Return scenario to version of what stands rolled back; the night's own version is no rollback."""
    if bundle.scenario is None:
        return {} if bundle.to == own else {_ALL: bundle.to}
    standing = {**before, bundle.scenario: bundle.to}
    if bundle.to == own and _ALL not in before:
        del standing[bundle.scenario]
    return standing


def _in_words(standing: Mapping[str, str]) -> str:
    return ", ".join(
        f"{scenario or 'every scenario'} as in version {version}" for scenario, version in sorted(standing.items())
    )


def _sentence(found: Mapping[str, Moved], bundle: _Bundle, ds: dt.date, called: str) -> str:
    ours = {name: one for name, one in found.items() if bundle.scenario in (None, name)}
    rows, differ = sum(one.rows for one in ours.values()), sum(one.differ for one in ours.values())
    where = "" if bundle.scenario is None else f" of {bundle.scenario}"
    told = f"{differ:,} of {rows:,} {called}{where} of {ds} differ from before"
    gone = {name: one.gone for name, one in ours.items() if one.gone}
    if gone:
        told += f"; gone, because version {bundle.version} makes none: " + ", ".join(
            f"{count:,} of {name}" for name, count in gone.items()
        )
    return told
