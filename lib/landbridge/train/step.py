"""The steps pretrain and finetune: each plans its units, runs one job of real processes, and gathers what they left."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path

from landbridge.config.days import FITS, days_of
from landbridge.config.schema import Config
from landbridge.errors import TrainError
from landbridge.feed.assemble import Assembler
from landbridge.lake.lake import Lake
from landbridge.step import Night, Outcome, Step
from landbridge.train.associated import forget_associated
from landbridge.train.job import Job
from landbridge.train.launch import horovod_found, launch
from landbridge.train.lineage import associating, digest, recipe
from landbridge.train.outcome import finished
from landbridge.train.progress import Follower
from landbridge.train.shared import sharing
from landbridge.train.units import Planned, has_networks, source_units, target_units
from landbridge.train.vectors import save_vectors
from landbridge.train.watch import parent_here

TABLES = ("examples", "histories", "vocabulary", "statistics")
READS = (*TABLES, "item_vectors")
GROUPED = ("item_factors", "groups", "group_flow")
SECTIONS = (
    "data.columns",
    "features",
    "split",
    "transfer",
    "retriever",
    "ranker",
    "negatives",
    "seed",
    "days",
    "train.launcher",
    "train.processes",
)


def pretrain(night: Night) -> Outcome:
    """Fit the source's networks, A, B and C, by all ranks."""
    save_assembler(night.config, night.lake, night.models, days_of(night.config, night.ds).train_until, night.ds)
    if has_networks(night.config):
        save_vectors(night.config, night.lake, night.models, night.say)
        forget_associated(night)
    return _run(night, "pretrain", source_units(night))


def finetune(night: Night) -> Outcome:
    """Fit every target's networks and every scenario's simple contenders.

    Raises
    ------
    TrainError
        If the step pretrain has not left its networks.
    """
    source = night.models / "fits" / "A"
    if not (night.models / "assembler").exists() or (has_networks(night.config) and not source.exists()):
        raise TrainError(
            f"{night.models} holds nothing of the step pretrain; run the step pretrain for {night.ds} first"
        )
    return _run(night, "finetune", target_units(night))


def save_assembler(config: Config, lake: Lake, models: Path, until: dt.date, known: dt.date) -> None:
    """Fit an assembler on the days up to `until`, for questions up to `known`, and save it into a folder of models.

    It appears complete or not at all.
    """
    folder, work = models / "assembler", models / "assembler.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    Assembler.fit(lake, config, until, known).save(work)
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


def _run(night: Night, step: str, planned: Planned) -> Outcome:
    launcher, processes = _launcher(night)
    given = night.config.contenders
    reads_items = given.content or given.associations or night.config.networks_associate
    texts = ("items",) if reads_items else ()  # changes with the events: no input apart
    grouped = GROUPED if step == "finetune" and night.config.networks_group else ()
    versions = {name: night.lake.version(name) for name in (*TABLES, *texts, *grouped)}
    job = Job(
        step,
        night.ds,
        night.config,
        night.models,
        versions,
        night.fingerprint,
        recipe(night.config),
        planned.units,
        parent_here(),
    )
    if night.again:
        shutil.rmtree(night.models / "checkpoints", ignore_errors=True)
    for title, why in planned.why.items():
        night.say(f"  {title}: {why}")
    for sentence in planned.left_out:
        night.say(f"  {sentence}")
    skipped = sum(len(unit.done) for unit in planned.units)
    if skipped:
        night.say(f"  {skipped} fits of an earlier run of tonight are taken as they are")
    if skipped == len(FITS) * len(planned.units):
        follower = Follower(job.progress, night.say)
    else:
        follower = launch(job, Path(night.config.folder) / "logs" / f"{night.ds}-{step}.log", night.say)
    return finished(job, follower, planned, launcher, processes)


def _launcher(night: Night) -> tuple[str, int]:
    train = night.config.train
    if train.launcher == "process" or not horovod_found():
        return "process", 1
    return train.launcher, train.processes


def _before_pretrain(night: Night) -> Mapping[str, str]:
    return {**digest(night.models, night.ds), **associating(night.config)}


def _before_finetune(night: Night) -> Mapping[str, str]:
    return {**_before_pretrain(night), **sharing(night)}


PRETRAIN = Step("pretrain", READS, (), SECTIONS, pretrain, _before_pretrain)
FINETUNE = Step(
    "finetune",
    (*READS, *GROUPED),
    (),
    (*SECTIONS, "contenders", "associations", "recommend.contenders"),
    finetune,
    _before_finetune,
)
