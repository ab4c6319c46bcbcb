"""The steps pretrain and finetune of a pointwise night: who is learned from and who is scored; then one job of fits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from landbridge.config.days import FITS
from landbridge.contenders.base import ALL
from landbridge.contenders.folder import fit_folder, is_of
from landbridge.contenders.points import competing
from landbridge.contenders.pointwise.base import PointContender
from landbridge.errors import ConfigError, DataError, LakeError
from landbridge.feed.questions import LEARNED, SCORED, Questions
from landbridge.step import Night, Outcome, Step
from landbridge.train.job import Job, Unit
from landbridge.train.launch import horovod_found, launch
from landbridge.train.lineage import recipe
from landbridge.train.progress import Follower
from landbridge.train.watch import parent_here

ROLES = (*LEARNED["C"], SCORED)
_REFUSED = "scores.role is "
_COST = {True: 2e-3, False: 5e-5}
"""Seconds that a row costs, by whether the contender is drawn by a seed, as networks are; they only order the units."""


def pretrain(night: Night) -> Outcome:
    """Write who is learned from, judged and scored tonight; no pointwise strategy needs a source fitted before it.

    Raises
    ------
    ConfigError
        ``scores.role`` gives what is no role.
    DataError
        Nothing is to be scored, or there is nothing to learn from or to judge on.
    """
    lake = night.spark_lake()
    try:
        lake.replace_days("subjects", lake.subjects(night.ds), night.ds, night.ds, night.fingerprint)
    except LakeError as error:
        if _REFUSED not in str(error):
            raise
        found = str(error).partition(_REFUSED)[2].partition(";")[0].strip().rstrip(".")
        raise ConfigError(
            f"{night.config.name}.yaml: scores.role gives {found or 'null'}, which is no role: "
            f"it must give {', '.join(ROLES[:-1])} or {SCORED}"
        ) from error
    counts = roles_of(night)
    total = {role: sum(one[role] for one in counts.values()) for role in ROLES}
    _audit(night, total)
    night.say(", ".join(f"{total[role]:,} to {said}" for role, said in _SAID.items()) + " (pretrain fits nothing here)")
    return Outcome(
        {"roles": {name: dict(one) for name, one in counts.items()}}, {f"rows/{k}": v for k, v in total.items()}
    )


_SAID = {"train": "learn from", "validation": "choose by", "test": "report on", SCORED: "score"}


def roles_of(night: Night) -> dict[str, Counter[str]]:
    """Return the rows of every role by scenario."""
    rows = night.lake.read("subjects", columns=["scenario", "role"], where=pc.field("ds") == pa.scalar(night.ds))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows.group_by(["scenario", "role"]).aggregate([([], "count_all")]).to_pylist():
        found[row["scenario"]][row["role"]] += row["count_all"]
    return dict(sorted(found.items()))


def _audit(night: Night, total: Mapping[str, int]) -> None:
    missing = [role for role in ROLES if not total[role]]
    if not missing:
        return
    where = "scores.role" if night.config.scores.role else "scores.role, or split"
    raise DataError(
        f"{night.config.name}, {night.ds}: no row is there to {' or to '.join(_SAID[role] for role in missing)} "
        f"(there are {', '.join(f'{total[role]} {role}' for role in ROLES)}): say in {where} what is "
        f"{', '.join(missing)}; a row whose label is null is scored"
    )


def finetune(night: Night) -> Outcome:
    """Fit every contender of every scenario: A on what is learned from, B on what is chosen by too, C on all labels."""
    units = units_of(night, competing(night.config))
    versions = {name: night.lake.version(name) for name in ("examples", "subjects")}
    job = Job(
        "finetune",
        night.ds,
        night.config,
        night.models,
        versions,
        night.fingerprint,
        recipe(night.config),
        units,
        parent_here(),
    )
    night.models.mkdir(parents=True, exist_ok=True)
    skipped = sum(len(unit.done) for unit in units)
    if skipped:
        night.say(f"  {skipped} fits of an earlier run of tonight are taken as they are")
    if skipped == len(FITS) * len(units):
        follower = Follower(job.progress, night.say)
    else:
        follower = launch(job, Path(night.config.folder) / "logs" / f"{night.ds}-finetune.log", night.say)
    return _outcome(night, follower, skipped)


def units_of(night: Night, contenders: list[PointContender]) -> tuple[Unit, ...]:
    """Return a unit for every contender and scope, with the fits of the same fingerprint that are there already."""
    counts = {name: sum(one[role] for role in LEARNED["C"]) for name, one in roles_of(night).items()}
    units = []
    for contender in contenders:
        for scope in [ALL] if contender.pooled else counts:
            rows = sum(counts.values()) if contender.crosses else counts[scope]
            unit = Unit(
                contender.name,
                scope,
                False,
                False,
                0.1 + rows * _COST[contender.seeded],
                _done(night, contender.name, scope),
            )
            units.append(unit)
    return tuple(units)


def _done(night: Night, contender: str, scope: str) -> tuple[str, ...]:
    if night.again:
        return ()
    return tuple(fit for fit in FITS if is_of(fit_folder(night.models, fit, scope, contender), night.fingerprint))


def _outcome(night: Night, follower: Follower, skipped: int) -> Outcome:
    train = night.config.train
    launcher = train.launcher if train.launcher != "process" and horovod_found() else "process"
    fits, seconds = follower.of("fit"), Counter[str]()
    for fit in fits:
        seconds[fit["contender"]] += fit["seconds"]
    notes: dict[str, Any] = {
        "launcher": launcher,
        "processes": 1 if launcher == "process" else train.processes,
        "fitted": len(fits),
        "skipped": skipped,
        "seconds": {name: round(value, 3) for name, value in sorted(seconds.items())},
        "positive": _positive(night),
        "left_out": sorted({event["text"] for event in follower.of("note")}),
    }
    return Outcome(notes, {f"seconds/{name}": value for name, value in notes["seconds"].items()})


def _positive(night: Night) -> dict[str, float]:
    """Return the share of positives among the rows with a label that is known tonight, by scenario."""
    table = Questions.read(night.lake, night.ds).of_roles(LEARNED["C"])
    means = table.group_by("scenario").aggregate([("label", "mean")]).to_pylist()
    return {row["scenario"]: round(row["label_mean"], 6) for row in sorted(means, key=lambda one: one["scenario"])}


PRETRAIN = Step(
    "pretrain",
    ("events", "examples"),
    ("subjects",),
    ("scores.subject", "scores.role", "split", "data.time_zone", "days"),
    pretrain,
)
FINETUNE = Step(
    "finetune",
    ("examples", "subjects", "item_vectors"),
    (),
    (
        *("pointwise", "features.scenario", "transfer", "ranker", "scores", "split", "seed", "days"),
        *("train.launcher", "train.processes"),
    ),
    finetune,
)
