"""The step `adapt`: the text encoder is tuned by what the same users took, as far as fit A may know it.

Whatever goes wrong, the night goes on with the encoder as it came.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from landbridge.adapt.job import TuneJob
from landbridge.adapt.pairs import pairs_of, taken, write
from landbridge.config.days import days_of
from landbridge.encode.encoder import Source, find
from landbridge.encode.texts import texts_of
from landbridge.encode.tuned import MODEL, Tuning, folder_for, is_due, newest
from landbridge.errors import EncoderError, TrainError
from landbridge.feed.tuned import Tuned, apart
from landbridge.lake.expressions import complaint
from landbridge.lake.spark import SparkLake
from landbridge.step import Night, Outcome, Step
from landbridge.tracking.encoders import REVISION, register_encoder
from landbridge.train.launch import launch
from landbridge.train.progress import Follower
from landbridge.train.watch import parent_here

STEP = "adapt"


def run(night: Night) -> Outcome:
    """Tune the encoder where a tuning is due, and register it."""
    if night.config.encode is None or night.config.encode.tune is None:
        return _without(night, "no section encode.tune")
    try:
        source = find(night.config.encode)
        until = days_of(night.config, night.ds).train_until
        last = newest(night.config, source.revision, until)
        if last is not None and not is_due(night.config, last, until) and not night.again:
            return _kept(night, last)
        return _tuned(night, source, until)
    except (EncoderError, TrainError) as error:
        return _without(night, str(error))
    except (PySparkException, Py4JError) as error:
        return _without(night, complaint(error))


def _tuned(night: Night, source: Source, until: dt.date) -> Outcome:
    job = TuneJob(STEP, night.config, night.models, night.fingerprint, source, parent_here())
    if night.again:
        shutil.rmtree(job.checkpoint, ignore_errors=True)
    settings = job.encode.tune
    assert settings is not None
    count, held = write_pairs(night, night.spark_lake(), until, job.pairs)
    if count < settings.least_pairs or not held:
        shutil.rmtree(job.pairs.parent, ignore_errors=True)
        few = f"{count:,} pairs of texts, and {held:,} of held-out users, up to {until}; encode.tune.least_pairs is"
        return _without(night, f"there are {few} {settings.least_pairs:,}")
    night.say(f"  tuning {job.encode.model} on {count:,} pairs of texts that the same users took up to {until}")
    follower = launch(job, Path(night.config.folder) / "logs" / f"{night.ds}-{STEP}.log", night.say)
    tuning = _keep(job, until, follower)
    shutil.rmtree(job.pairs.parent, ignore_errors=True)
    outcome = _kept(night, tuning)
    return Outcome(outcome.notes, tuning.metrics, (job.losses,))


def write_pairs(night: Night, lake: SparkLake, until: dt.date, folder: Path) -> tuple[int, int]:
    """Write the pairs of what fit A may know; return how many are learned from and how many held out."""
    config, where = night.config, f"{night.config.name}.yaml"
    assert config.encode is not None
    assert config.encode.tune is not None
    items = lake.table("items")
    rows = taken(lake.table("examples").where(F.col("ds") <= F.lit(until)), items, config, where)
    texts = texts_of(items, config.encode, until, where)
    return write(pairs_of(rows, texts, config.encode.tune), config.encode.tune, folder)


def _keep(job: TuneJob, until: dt.date, follower: Follower) -> Tuning:
    """Put the tuned encoder, or the word that none was better, where later nights find it."""
    told: dict[str, Any] = follower.of("tuned")[-1]
    metrics = {name: float(value) for name, value in told.items() if name not in ("kind", "rank")}
    model = job.work / MODEL
    revision = ""
    if model.exists():
        revision = find(job.encode.model_copy(update={"model": str(model.resolve()), "revision": None})).revision
    tuned = Tuned(revision, until, apart(job.config.study.cold_items))
    return Tuning.keep(folder_for(job.config, job.source.revision, until), job.work, tuned, metrics)


def _kept(night: Night, tuning: Tuning) -> Outcome:
    """Say what the held-out users said, and register the encoder if it is not."""
    tuned, found = tuning.tuned, tuning.metrics
    words = f"recall@10 of held-out users {found['recall_before']:.4f} before, {found['recall']:.4f} after"
    if not tuned.revision:
        return _without(night, f"no round of the tuning on events up to {tuned.until} was better than none")
    version = register_encoder(night, tuning.model, {REVISION: tuned.revision, **_tags(tuned)})
    night.say(f"the encoder tuned on events up to {tuned.until} serves ({words})")
    return Outcome({"tuned": tuned.note, "version": version, "left_out": []}, tuning.metrics)


def _tags(tuned: Tuned) -> dict[str, str]:
    return {f"landbridge.{name}": value for name, value in tuned.note.items() if name != "revision"}


def _without(night: Night, why: str) -> Outcome:
    sentence = f"the encoder is not tuned: {why}; texts are encoded with the encoder that there is"
    night.say(sentence)
    return Outcome(notes={"left_out": [sentence]})


def _inputs(night: Night) -> Mapping[str, str]:
    """A model that is installed later is tuned the same day."""
    if night.config.encode is None:
        return {}
    try:
        return {"encoder": find(night.config.encode).revision}
    except EncoderError as error:
        return {"encoder": str(error)}


ADAPT = Step(
    STEP,
    reads=("examples", "items"),
    writes=(),
    sections=("encode", "split", "study.cold_items", "train.launcher", "train.processes"),
    run=run,
    inputs=_inputs,
)
