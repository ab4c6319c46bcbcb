"""The search of hyper-parameters (Optuna, Akiba et al. 2019): judged on validation rows, every trial a run in MLflow.

Of folds the first is the test and is not touched: what is fitted on the others but the second is judged on the second.
Figures on the other folds know of the choice; those of the first do not. Of rolling windows those of study.chosen_on
are judged, and no row after them is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from landbridge.config.schema import Config
from landbridge.config.study import Range, Tune
from landbridge.errors import ConfigError
from landbridge.step import Outcome
from landbridge.study.protocol import Protocol, Trial
from landbridge.tracking.run import Tracker

Say = Callable[[str], None]


def tune(protocol: Protocol, folder: Path, say: Say, tracker: Tracker) -> dict[str, Any]:
    """Search ``study.tune.keys``; print the best as YAML and return it by the keys' paths.

    What was tried is kept in `folder`: the same command goes on with the trials that are missing.

    Raises
    ------
    ConfigError
        Nothing is declared to be searched, a key does not exist, or the contender does not.
    """
    import optuna

    config = protocol.config
    given = _checked(protocol)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    search = optuna.create_study(
        study_name=_identity(protocol, given),
        storage=_storage(folder),
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=config.seed),
    )

    def value_of(trial: Any) -> float:
        drawn = {key: _suggest(trial, key, bounds) for key, bounds in given.keys.items()}
        value, seconds = _judged(protocol.searching(changed(config, drawn)), str(given.contender))
        say(f"[{trial.number + 1}/{given.trials}] {_told(drawn)}: {protocol.measure} {value:.4f} in {seconds:.1f} s")
        step = f"{given.contender}, trial {trial.number}"
        tracker.begin(step)
        tracker.end(step, Outcome(metrics={f"validation {protocol.measure}": value}), params=drawn, seconds=seconds)
        return value

    tried = sum(trial.state.is_finished() for trial in search.trials)
    search.optimize(value_of, n_trials=max(given.trials - tried, 0))
    best = dict(search.best_params)
    say(f"the best of {len(search.trials)} has {protocol.measure} {search.best_value:.4f} on validation rows:")
    for line in yaml.safe_dump(nested(best), sort_keys=False).splitlines():
        say(line)
    return best


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """Return the configuration with other values at some paths.

    Raises
    ------
    ConfigError
        There is no such key, or it does not take the value.
    """
    tree = config.model_dump()
    for key, value in values.items():
        *path, last = key.split(".")
        node: Any = tree
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ConfigError(f"study.tune.keys: {key} is not a key of the configuration")
        node[last] = value
    try:
        return Config.model_validate(tree)
    except ValueError as error:
        raise ConfigError(f"study.tune.keys: {dict(values)} is refused: {error}") from None


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return paths and values as a tree."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def _checked(protocol: Protocol) -> Tune:
    given = protocol.config.study.tune
    names = [entry.name for entry in protocol.entries()]
    if not given.keys:
        raise ConfigError("study.tune.keys is empty: declare what is searched, as {low: 7, high: 63}")
    if given.contender not in names:
        raise ConfigError(f"study.tune.contender: {given.contender} is none of {', '.join(names)}")
    changed(protocol.config, {key: _any(bounds) for key, bounds in given.keys.items()})
    return given


def _any(bounds: Range) -> Any:
    return bounds.choices[0] if bounds.choices else bounds.low


def _judged(protocol: Protocol, contender: str) -> tuple[float, float]:
    """Return the measure that is aimed at and the seconds of all fits."""
    scored = [protocol.run(trial) for trial in _trials(protocol, contender)]
    rows = [one.rows for one in scored if one.rows is not None]
    if not rows:
        reasons = dict.fromkeys(sentence for one in scored for sentence in one.left_out)
        raise ConfigError(f"study.tune.contender: {contender} is left out: {'; '.join(reasons)}")
    found, aim = protocol.measured(pa.concat_tables(rows)), protocol.config.study.tune.aim or protocol.aim
    if aim not in found:
        raise ConfigError(f"study.tune.aim: {aim} is not measured; there are {', '.join(found)}")
    return found[aim].value, sum(one.seconds for one in scored)


def _trials(protocol: Protocol, contender: str) -> list[Trial]:
    return [Trial(contender, protocol.config.study.seeds[0], part) for part in protocol.searched]


def _suggest(trial: Any, key: str, bounds: Range) -> Any:
    if bounds.choices is not None:
        return trial.suggest_categorical(key, bounds.choices)
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return trial.suggest_int(key, bounds.low, bounds.high, log=bounds.log)
    return trial.suggest_float(key, bounds.low, bounds.high, log=bounds.log)


def _storage(folder: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(folder / "tune.log")))


def _identity(protocol: Protocol, given: Tune) -> str:
    """Name the search by all that its values depend on, so that another one does not go on with them."""
    trials = _trials(protocol.searching(protocol.config), str(given.contender))
    ranges = {key: bounds.model_dump() for key, bounds in given.keys.items()}
    told = json.dumps([[dict(protocol.fingerprint(trial)) for trial in trials], ranges, given.aim], sort_keys=True)
    return f"{given.contender} {hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _told(drawn: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key.rpartition('.')[2]} {value:.4g}" if isinstance(value, float) else f"{key.rpartition('.')[2]} {value}"
        for key, value in drawn.items()
    )
