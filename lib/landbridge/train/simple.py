"""Fits the simple contenders in the same job: closed forms, each fit fresh on its days."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from landbridge.config.days import FITS
from landbridge.config.schema import Config
from landbridge.contenders.base import ALL, Contender, Fitted, View
from landbridge.contenders.folder import fit_folder, is_of, load_fitted, save_fitted
from landbridge.contenders.simple import all_simple
from landbridge.errors import LakeError
from landbridge.feed.vectors import VectorsByKnowledge
from landbridge.feed.words import Words, attributes_of, words_of
from landbridge.train.bench import Bench
from landbridge.train.job import Unit


@dataclass
class Simple:
    """Fits the simple contenders that a rank was dealt; the interactions are read once."""

    bench: Bench

    def run(self, unit: Unit) -> None:
        """Fit A, B and C of one contender and scope, and save those that are not done."""
        job = self.bench.job
        contender = contender_of(job.config, unit.contender)
        for fit in FITS:
            if fit in unit.done:
                continue
            self.bench.watch.beat(f"fitting {unit.title} fit {fit}")
            started, until = time.monotonic(), job.days.until(fit)
            found = partial(self._found, fit)
            rows = self.bench.rows.learned(fit)
            # What an encoder was tuned on is of all scenarios: who learns from one alone reads it as it came.
            vectors = self._vectors.of(until if contender.crosses else None)
            view = View(job.config, unit.scope, until, rows, self._words, vectors, found, self._attributes)
            reason = contender.left_out(view)
            if reason is not None:
                self.bench.progress.tell("note", text=reason)
                continue
            meta = {
                "contender": unit.contender,
                "scope": unit.scope,
                "fit": fit,
                "until": until.isoformat(),
                "examples": count(view),
                "fingerprint": job.fingerprint,
                "recipe": job.recipe,
                "crosses": contender.crosses,
            }
            save_fitted(contender.fit(view), job.fit_folder(fit, unit), meta)
            self.bench.progress.tell(
                "fit",
                unit=unit.title,
                contender=unit.contender,
                scope=unit.scope,
                fit=fit,
                examples=meta["examples"],
                steps=0,
                seconds=round(time.monotonic() - started, 3),
            )

    def _found(self, fit: str, contender: str, scope: str) -> Fitted | None:
        """Return what this job, or its other ranks, have fitted already."""
        folder = fit_folder(self.bench.job.models, fit, scope, contender)
        try:
            return load_fitted(folder) if is_of(folder, self.bench.job.fingerprint) else None
        except (LakeError, OSError):  # another rank is just replacing it
            return None

    @cached_property
    def _words(self) -> Words | None:
        return words_of(self.bench.job.lake, self.bench.assembler.vocabulary, self.bench.job.config)

    @cached_property
    def _vectors(self) -> VectorsByKnowledge:
        return VectorsByKnowledge(self.bench.job.lake, self.bench.assembler.vocabulary, self.bench.job.config)

    @cached_property
    def _attributes(self) -> Mapping[str, Words] | None:
        return attributes_of(self.bench.job.lake, self.bench.assembler.vocabulary, self.bench.job.config)


def contender_of(config: Config, name: str) -> Contender:
    """Return the simple contender of a name."""
    return {contender.name: contender for contender in all_simple(config)}[name]


def count(view: View) -> int:
    """Return the number of interactions that a view shows of its scope."""
    return len(view.interactions if view.scope == ALL else view.interactions.of_scenario(view.scope))
