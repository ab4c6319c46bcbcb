"""The bundle: what a night publishes, as one folder that scores without Spark and without the lake.

    routes.json               scenario -> contender, fit, its part, the parts of `__new__`, catalogue and assembler;
                              of a newcomer the neighbours' weights and parts in the place of its own
    parts/<content hash>/     saved contenders, catalogues (item ids), assemblers; equal content is there once

Every route names its own assembler, so that a scenario rolled back to an earlier night is scored as it was then.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.schema import Config
from landbridge.contenders.folder import find_fitted
from landbridge.contenders.graph import linked
from landbridge.contenders.lent import lent_route
from landbridge.errors import DataError, LakeError
from landbridge.feed.assemble import Assembler
from landbridge.lake.lake import Lake

ROUTES = "routes.json"
_READ = ("events", "vocabulary", "statistics", "examples", "histories", "user_state", "items")


@dataclass(frozen=True)
class Route:
    """What a scenario publishes: a contender of a fit, and the contender that makes the list for whoever is unknown."""

    contender: str
    fit: str
    unknown: str


def build(
    night_models: Path,
    routes: Mapping[str, Route],
    lake: Lake,
    ds: dt.date,
    folder: Path,
    catalogue: pa.Table,
    newcomers: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> Path:
    """Write the bundle of a night and return its folder; a bundle that was there is replaced.

    Parameters
    ----------
    night_models
        The folder with ``assembler/`` and ``fits/<fit>/<scope>/<contender>/``.
    catalogue
        Columns scenario, item_id: what the lists may hold. Items that the vocabulary lacks are left out.
    newcomers
        Scenarios without a log, each with the weights of its neighbours, which have routes.

    Raises
    ------
    LakeError
        If a contender that a route names has not been fitted.
    """
    work = fresh(folder)
    assembler = Assembler.load(night_models / "assembler").frozen(ds + dt.timedelta(days=1))
    assembler.save(made_empty(work / "new"))
    common = {
        "assembler": keep(work / "new", work),
        "ds": ds.isoformat(),
        "moment": end_of(ds, lake.config.data.time_zone),
        "versions": {name: lake.version(name) for name in _READ if lake.exists(name)},
    }

    def catalogue_of(scenario: str) -> str:
        own = catalogue.filter(pc.equal(catalogue["scenario"], scenario))
        ids = assembler.vocabulary.encode("item_id", own["item_id"])
        np.save(made_empty(work / "new") / "items.npy", np.unique(ids[ids > 0]).astype(np.int32), allow_pickle=False)
        return keep(work / "new", work)

    entries: dict[str, dict[str, Any]] = {}
    for scenario, route in sorted(routes.items()):
        entries[scenario] = {
            "contender": route.contender,
            "fit": route.fit,
            "part": keep(fitted_folder(night_models, route.fit, scenario, route.contender), work),
            "unknown": {
                "contender": route.unknown,
                "part": keep(fitted_folder(night_models, route.fit, scenario, route.unknown), work),
            },
            "catalogue": catalogue_of(scenario),
            **common,
        }
    entries |= {
        name: {**lent_route(weights, entries), "catalogue": catalogue_of(name), **common}
        for name, weights in newcomers.items()
    }
    write_routes(work, _head(lake.config), entries)
    return put(work, folder)


def compose(base: Path, other: Path, scenarios: Iterable[str] | None, folder: Path) -> Path:
    """Write into `folder` the bundle `base` with the routes of `scenarios` (None: all) taken from `other`.

    Raises
    ------
    LakeError
        If `other` has no route for one of the scenarios.
    """
    ours, theirs = read_routes(base), read_routes(other)
    chosen = sorted(theirs["scenarios"]) if scenarios is None else sorted(scenarios)
    for scenario in chosen:
        if scenario not in theirs["scenarios"]:
            raise LakeError(f"the bundle {other} has no route for {scenario}; it has {', '.join(theirs['scenarios'])}")
    entries = {**ours["scenarios"], **{scenario: theirs["scenarios"][scenario] for scenario in chosen}}
    work = fresh(folder)
    for scenario, entry in entries.items():
        source = other if scenario in chosen else base
        for part in parts_of(entry):
            if keep(source / "parts" / part, work) != part:
                raise LakeError(
                    f"the part {part} of the bundle {source} is damaged: it is not what its name says; take another"
                )
    write_routes(work, {key: value for key, value in ours.items() if key != "scenarios"}, entries)
    return put(work, folder)


def read_routes(folder: Path) -> dict[str, Any]:
    """Return ``routes.json`` of a bundle."""
    try:
        tree: dict[str, Any] = json.loads((folder / ROUTES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LakeError(
            f"{folder / ROUTES} cannot be read ({error}): this is no bundle; run the step evaluate"
        ) from None
    return tree


def route_of(routes: Mapping[str, Any], scenario: str) -> dict[str, Any]:
    """Return the entry of a scenario in what `read_routes` returned.

    Raises
    ------
    DataError
        The bundle has no such scenario.
    """
    if scenario not in routes["scenarios"]:
        known = ", ".join(sorted(routes["scenarios"]))
        raise DataError(f"the model {routes['name']} has no scenario {scenario!r}; it has {known}")
    route: dict[str, Any] = routes["scenarios"][scenario]
    return route


def parts_of(entry: Mapping[str, Any]) -> list[str]:
    """Return the parts that a scenario's entry of ``routes.json`` needs."""
    named = [entry[key] for key in ("part", "catalogue", "assembler", "coding") if key in entry]
    unknown = [entry["unknown"]["part"]] if "unknown" in entry else []
    lent = [part for neighbour in entry.get("neighbours", ()) for part in parts_of(neighbour)]
    return sorted({*named, *unknown, *lent})


def content_hash(folder: Path) -> str:
    """Return the SHA-256 of a folder's files, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\n{file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def end_of(day: dt.date, time_zone: str) -> int:
    """Return the end of a day in a time zone, in microseconds since the epoch."""
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), ZoneInfo(time_zone))
    return int(midnight.timestamp()) * 1_000_000


def _head(config: Config) -> dict[str, Any]:
    return {
        "format": 1,
        "name": config.name,
        "k": config.recommend.k,
        "pool": config.recommend.pool,
        "features": sorted(config.features.user),
    }


def fitted_folder(night_models: Path, fit: str, scenario: str, contender: str) -> Path:
    """Return the folder of a fitted contender: the scenario's own, or the one fitted for all."""
    found = find_fitted(night_models, fit, scenario)
    if contender not in found:
        raise LakeError(
            f"{contender} of fit {fit} was not fitted for {scenario} in {night_models}/fits; "
            f"there is {', '.join(found) or 'nothing'}: "
            "run the steps pretrain and finetune"
        )
    return found[contender]


def keep(part: Path, work: Path) -> str:
    """Copy a part under its content hash (hard links where the file system has them) and return the hash."""
    name = content_hash(part)[:16]
    if not (work / "parts" / name).exists():
        shutil.copytree(part, work / "parts" / name, copy_function=linked)
    return name


def made_empty(folder: Path) -> Path:
    """Return the folder, there and empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def fresh(folder: Path) -> Path:
    """Return the folder in which a bundle is made, beside its place; see `put`."""
    return made_empty(folder.with_name(f".{folder.name}.tmp"))


def write_routes(work: Path, head: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    """Write ``routes.json``."""
    text = json.dumps({**head, "scenarios": dict(sorted(entries.items()))}, indent=1, sort_keys=True)
    (work / ROUTES).write_text(text + "\n", encoding="utf-8")


def put(work: Path, folder: Path) -> Path:
    """Rename the finished work to its place."""
    shutil.rmtree(work / "new", ignore_errors=True)
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder
