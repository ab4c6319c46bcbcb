"""Fits the contenders of a pointwise night that a rank was dealt: A, then B, then C, each fresh on its rows."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

import numpy as np

from landbridge.config.days import FITS, Fit
from landbridge.contenders.points import CODING, competing
from landbridge.contenders.pointwise.base import PointContender, PointView
from landbridge.contenders.pointwise.folder import save_point
from landbridge.feed.hashing import hash_strings
from landbridge.feed.questions import LEARNED, Questions
from landbridge.feed.rows import Coding, Rows
from landbridge.feed.vectors import Texts, Vectors
from landbridge.train.job import Job, Unit, deal
from landbridge.train.progress import Progress
from landbridge.train.ranks import Ranks
from landbridge.train.watch import Watch

HELD_OUT = 10
"""One in so many users is held out for a contender that cannot do without held-out rows."""


@dataclass(frozen=True)
class Learned:
    """What a fit learns from: its rows, for those who ask without some users, these users' rows, and the vectors."""

    rows: Rows
    less: Rows
    held_out: Rows
    vectors: Vectors | None

    @classmethod
    def of(cls, rows: Rows, vectors: Vectors | None) -> Learned:
        """Hold out users by hash; they are of the fit's own rows, so nothing is judged on what it was stopped by."""
        held_N = hash_strings(rows.cluster_N) % np.uint64(HELD_OUT) == 0
        return cls(rows, rows.take(~held_N), rows.take(held_N), vectors)

    def view(self, job: Job, contender: PointContender, scope: str) -> PointView:
        """Return what the contender sees."""
        if contender.holds_out:
            return PointView(job.config, scope, self.less, self.held_out, job.config.seed, self.vectors)
        return PointView(job.config, scope, self.rows, None, job.config.seed, self.vectors)


def fit_points(job: Job, watch: Watch, progress: Progress, ranks: Ranks) -> None:
    """Fit what falls to this rank, one fit after the other: so only one fit's rows are in memory."""
    watch.beat("reading the examples")
    questions = Questions.read(job.lake, job.ds)
    texts = Texts.read(job.lake, job.config)
    names, vectors = ((), None) if texts is None else (texts.names, texts.vectors)
    contenders = {one.name: one for one in competing(job.config)}
    mine = deal(job.units, ranks.size)[ranks.rank]
    for fit in FITS:
        coding = questions.coding(fit, names)
        if ranks.leads:
            _save_coding(coding, job, fit)
        wanted = [unit for unit in mine if fit not in unit.done]
        if not wanted:
            continue
        learned = Learned.of(questions.rows(LEARNED[fit], coding), vectors)
        for unit in sorted(wanted, key=lambda one: one.contender):
            watch.beat(f"fitting {unit.title} fit {fit}")
            _fit(job, unit, contenders[unit.contender], learned, fit, progress)
    watch.rest()
    ranks.barrier()


def _fit(job: Job, unit: Unit, contender: PointContender, learned: Learned, fit: Fit, progress: Progress) -> None:
    started, view = time.monotonic(), learned.view(job, contender, unit.scope)
    reason = contender.left_out(view)
    if reason is not None:
        progress.tell("note", text=f"{unit.contender}, fit {fit}: {reason}")
        return
    meta = {
        "contender": unit.contender,
        "scope": unit.scope,
        "fit": fit,
        "until": _until(job, fit).isoformat(),
        "examples": len(view.own(view.rows)),
        "fingerprint": job.fingerprint,
        "recipe": job.recipe,
        "crosses": contender.crosses,
    }
    save_point(contender.fit(view), job.fit_folder(fit, unit), meta)
    facts = {name: meta[name] for name in ("contender", "scope", "fit", "examples")}
    progress.tell("fit", unit=unit.title, steps=0, seconds=round(time.monotonic() - started, 3), **facts)


def _until(job: Job, fit: Fit) -> dt.date:
    """The last day that a fit may know: roles that are no days say nothing of it, then it is the night's."""
    by_days = job.config.scores.role is None and job.config.split.part is None
    return job.days.until(fit) if by_days else job.ds


def _save_coding(coding: Coding, job: Job, fit: Fit) -> None:
    file = job.models / "fits" / fit / CODING
    file.parent.mkdir(parents=True, exist_ok=True)
    working = file.with_suffix(".tmp")
    coding.save(working)
    working.replace(file)
