"""What the two jobs fit: the source's networks; every target's networks with the simple contenders beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from landbridge.config.days import FITS, days_of
from landbridge.config.schema import Config
from landbridge.contenders.base import ALL, Contender
from landbridge.contenders.folder import fit_folder, is_of
from landbridge.contenders.simple import POPULARITIES, all_simple
from landbridge.errors import ConfigError, DataError
from landbridge.step import Night
from landbridge.train.job import Unit, Warm
from landbridge.train.lineage import predecessor, recipe
from landbridge.train.shared import unshared, without_shared
from landbridge.train.vectors import revision, stored_of
from landbridge.transfer import TargetOnly, strategy_of

STEP_COST = 2e-4
"""Seconds that one example costs a network in an epoch, and what a closed form costs, measured on one core; they
only order the units."""
CUBE_COST = 2e-10
FIT_COST = 0.5
BLEND_COST = 0.1
"""The least, so that a blend comes last: it takes its parts from those that have been fitted by then."""


@dataclass(frozen=True)
class Planned:
    """Units, why each network begins as it does, and a sentence for each network that is not fitted."""

    units: tuple[Unit, ...]
    why: Mapping[str, str]
    left_out: tuple[str, ...] = ()


def counts(night: Night) -> dict[str, int]:
    """Return the events of every scenario up to ds, by scenario, ascending."""
    rows = night.lake.read(
        "statistics", until=night.ds, columns=["scenario", "count"], where=pc.field("feature") == "item"
    )
    summed = rows.group_by("scenario").aggregate([("count", "sum")]).sort_by("scenario").to_pydict()
    return dict(zip(summed["scenario"], summed["count_sum"], strict=True))


def competing(config: Config) -> list[Contender]:
    """Return the simple contenders of a night, those alone first.

    Raises
    ------
    ConfigError
        ``recommend.contenders`` names one that there is not, or none for whoever is unknown.
    """
    found, wanted = all_simple(config), config.recommend.contenders
    if wanted is None:
        return found
    known = [one.name for one in found]
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise ConfigError(
            f"recommend.contenders: there is no contender {', '.join(missing)}; contenders: {', '.join(known)}"
        )
    if not set(wanted) & set(POPULARITIES):
        raise ConfigError(
            f"recommend.contenders: {' or '.join(POPULARITIES)} must be among them: whoever is unknown gets its list"
        )
    return [one for one in found if one.name in wanted]


def has_networks(config: Config) -> bool:
    """Whether a night fits networks: they learn day by day, so not where the split declares parts."""
    return config.split.part is None


def source_units(night: Night) -> Planned:
    """Return the one unit of pretraining: the source, by all ranks; none where a night fits no networks.

    Raises
    ------
    ConfigError
        If ``recommend.contenders`` is wrong.
    DataError
        If the source has no events.
    """
    competing(night.config)
    source, examples = night.config.transfer.source, counts(night)
    if source not in examples:
        raise DataError(
            f"transfer.source {source!r} has no events up to {night.ds}; "
            f"scenarios with events: {', '.join(examples) or 'none'}"
        )
    if not has_networks(night.config):
        return Planned((), {"networks": "none, split.part declares parts and networks learn day by day"})
    return _networks(night, [(TargetOnly.name, source, examples[source], True)])


def target_units(night: Night) -> Planned:
    """Return the networks of every target and the simple contenders of every scenario."""
    config, examples = night.config, counts(night)
    given = config.transfer.strategies
    wanted = wanted_networks(config, examples, given) if has_networks(config) else []
    without = without_shared(night, [scope for _, scope, _, _ in wanted])
    apart = [one for one in wanted if strategy_of(one[0]).shares_users and one[1] in without]
    networks = _networks(night, [one for one in wanted if one not in apart])
    simple = []
    for contender in competing(config):
        for scope in [ALL] if contender.pooled else examples:
            rows = sum(examples.values()) if contender.crosses else examples[scope]
            unit = Unit(contender.name, scope, False, False, _closed_form(contender.name, rows))
            simple.append(_with_done(night, unit))
    left_out = tuple(unshared(contender, scope, config.transfer.source) for contender, scope, _, _ in apart)
    return Planned((*networks.units, *simple), networks.why, left_out)


def wanted_networks(
    config: Config, examples: Mapping[str, int], strategies: Sequence[str]
) -> list[tuple[str, str, int, bool]]:
    """Return contender, scope, examples of every target's networks, and whether all ranks share it."""
    targets = [scenario for scenario in examples if scenario != config.transfer.source]
    given = {name: strategy_of(name) for name in strategies}
    own = [name for name, strategy in given.items() if not strategy.pooled]
    names: list[str] = list(dict.fromkeys([TargetOnly.name, *own]))
    everything = sum(examples.values())
    shared: list[str] = [name for name, strategy in given.items() if strategy.pooled]
    first = sorted({strategy.begins for strategy in given.values() if strategy.begins is not None})
    return [(name, ALL, everything, True) for name in dict.fromkeys([*first, *shared])] + [
        (name, target, examples[target], examples[target] > config.transfer.split_above)
        for target in targets
        for name in names
    ]


def _networks(night: Night, wanted: list[tuple[str, str, int, bool]]) -> Planned:
    units, why, until = [], {}, days_of(night.config, night.ds).train_until
    read = revision(stored_of(night.config, night.models))
    for contender, scope, examples, split in wanted:
        warm, reason = predecessor(night.models, night.ds, recipe(night.config), scope, contender, until, read)
        cost = network_cost(night.config, examples, warm)
        unit = _with_done(night, Unit(contender, scope, True, split, cost, warm=warm))
        units.append(unit)
        why[unit.title] = reason
    return Planned(tuple(units), why)


def _with_done(night: Night, unit: Unit) -> Unit:
    """Return the unit with the fits that need not be made again: those of the same fingerprint, in order from A."""
    done = []
    for fit in FITS:
        if night.again or not is_of(fit_folder(night.models, fit, unit.scope, unit.contender), night.fingerprint):
            break
        done.append(fit)
    return Unit(unit.contender, unit.scope, unit.network, unit.split, unit.cost, tuple(done), unit.warm)


def network_cost(config: Config, examples: int, warm: Warm | None = None) -> float:
    """Return what the networks of a scope cost, so that units can be ordered."""
    return FIT_COST + examples * (1 if warm else config.transfer.epochs) * STEP_COST


def _closed_form(name: str, rows: int) -> float:
    if name.startswith("blend"):
        return BLEND_COST
    items = min(rows, 4000)
    return FIT_COST + rows * 1e-6 + (CUBE_COST * math.pow(items, 3) if name.startswith("ease") else 0.0)
