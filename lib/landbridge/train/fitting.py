"""Fits one network contender of one scope: A, then B from A, then C from B."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import nn

from landbridge.config.days import Fit
from landbridge.contenders.base import ALL
from landbridge.contenders.folder import load_fitted, save_fitted, scope_folder
from landbridge.contenders.network import NetworkFitted
from landbridge.errors import TrainError
from landbridge.feed.batches import Loader
from landbridge.feed.elsewhere import Elsewhere
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Shards, Store
from landbridge.models.contrast import Contrast
from landbridge.models.generative import RetrieverGenerative
from landbridge.models.initial import salt
from landbridge.models.networks import NAMES, Networks
from landbridge.train.associated import Associations
from landbridge.train.bench import Bench
from landbridge.train.beside import beside
from landbridge.train.checkpoints import Checkpoints, losses_of, set_optimizer_state
from landbridge.train.generating import Generating
from landbridge.train.job import Unit
from landbridge.train.jointly import Jointly
from landbridge.train.loop import Loop, Loss, Place
from landbridge.train.objectives import Objective, Ranking, Retrieving
from landbridge.train.ranks import Ranks
from landbridge.train.tasks import Tasks
from landbridge.train.vectors import give_vectors, mark_trained, revision
from landbridge.transfer import Crossing, Strategy, strategy_of

CONTINUED = 0.5
"""A fit that continues one that has been learned starts at this share of the rate, for one epoch."""


@dataclass(frozen=True)
class Stage:
    """One fit of the chain: where it begins, which days are new to it, how long and how fast it learns."""

    fit: Fit
    since: dt.date
    until: dt.date
    networks: Networks
    continued: bool
    associations: Associations = field(default_factory=Associations)


@dataclass
class Chain:
    """The fits of one unit, by the ranks that share it."""

    bench: Bench
    unit: Unit
    ranks: Ranks
    store: Store
    _losses: list[Loss] = field(default_factory=list)

    def run(self) -> None:
        """Fit what is not done yet, in order, and save each."""
        networks: Networks | None = None
        for fit in self.bench.job.fits:
            if fit in self.unit.done:
                networks = load_networks(self.bench.job.fit_folder(fit, self.unit))
                continue
            self.bench.watch.beat(f"preparing {self.unit.title} fit {fit}")
            stage = self._knowing(self._stage(fit, networks))
            networks = self._fit(stage)
            # Nobody looks for a checkpoint or a folder before everybody is here.
            self.ranks.barrier()

    @property
    def strategy(self) -> Strategy:
        """How the unit begins, and how its weights move."""
        return strategy_of(self.unit.contender)

    @property
    def own_only(self) -> bool:
        """Whether the networks see the own scenario only."""
        return not self.strategy.crosses

    def _stage(self, fit: Fit, networks: Networks | None) -> Stage:
        job, days, warm = self.bench.job, self.bench.job.days, self.unit.warm
        nothing = days.first - dt.timedelta(days=1)
        before: dict[Fit, dt.date] = {
            "A": nothing,
            "B": days.train_until,
            "C": days.validation_until,
        }
        if networks is not None:
            return Stage(fit, before[fit], days.until(fit), self._renewed(networks, fit), True)
        if warm is not None:
            earlier = load_networks(Path(warm.folder)).copy(self.bench.sizes(), job.config.seed)
            return Stage(fit, dt.date.fromisoformat(warm.until), days.until(fit), self._renewed(earlier, fit), True)
        started = self.strategy.start(self._source(fit), self.bench.sizes(), job.config.seed, self._crossing)
        return Stage(fit, nothing, days.until(fit), started, False)

    def _renewed(self, networks: Networks, fit: Fit) -> Networks:
        seed = self.bench.job.config.seed
        return self.strategy.renewed(networks, self._source(fit), self.bench.sizes(), seed, self._crossing)

    def _source(self, fit: Fit) -> Networks | None:
        """Return the networks to begin from, of the same fit, so that a target's fit knows no later day by them."""
        unit = replace(self.unit, contender="target_only", scope=self.bench.job.config.transfer.source)
        if self.strategy.begins is not None:
            unit = replace(self.unit, contender=self.strategy.begins, scope=ALL)
        folder = self.bench.job.fit_folder(fit, unit)
        return load_networks(folder) if self.strategy.from_source and folder.exists() else None

    @property
    def _crossing(self) -> Crossing:
        given = self.bench.job.config.transfer
        return Crossing(self._scenario(given.source), self._scenario(self.unit.scope), given)

    def _scenario(self, name: str) -> int:
        return self.bench.assembler.vocabulary.id("scenario", name)

    def _fit(self, stage: Stage) -> Networks:
        job, started = self.bench.job, time.monotonic()
        sources = self._sources(stage)
        examples = sum(shards.total for shards, _ in sources)
        kept = Checkpoints(
            job.models / "checkpoints" / f"{stage.fit}-{scope_folder(self.unit.scope)}-{self.unit.contender}",
            job.fingerprint,
        )
        saved = kept.read()
        networks, self._losses = stage.networks, []
        if saved is not None:
            networks = saved["networks"]
            self._losses = losses_of(saved["losses"], self.unit.contender, self.unit.scope, stage.fit)
        met = [*sources, *self._beside(stage)]
        give_vectors(networks, self.bench.vectors, met, self.bench.assembler, self.own_only)
        if self.strategy.edges:
            self._connect(networks, stage)
        if self.strategy.learning:
            mark_trained(networks, met, self.ranks, self.own_only)
        for name in NAMES[NAMES.index(saved["network"]) if saved else 0 :]:
            loop = self._loop(name, networks, sources, stage)
            resumed = saved if saved is not None and saved["network"] == name else None
            if resumed is not None:
                set_optimizer_state(loop, resumed["optimizer"])
            loop.run(resumed["epoch"] + 1 if resumed else 0, self._keep(kept, networks, loop))
            self._losses += loop.losses
        if self.ranks.leads:
            self._save(stage, networks, examples)
            kept.clear()
            self.bench.progress.tell(
                "fit",
                unit=self.unit.title,
                contender=self.unit.contender,
                scope=self.unit.scope,
                fit=stage.fit,
                examples=examples,
                steps=len(self._losses),
                seconds=round(time.monotonic() - started, 3),
            )
        return networks

    def _connect(self, networks: Networks, stage: Stage) -> None:
        """Let networks read edges, and groups where there are some, that know no day after the fit's."""
        bench = self.bench
        bench.watch.beat(f"connecting items for {self.unit.title} fit {stage.fit}")
        flow = None if bench.grouping is None else bench.grouping.flow(stage.fit, self._crossing)
        networks.connect(bench.connecting.as_of(stage.until), flow)

    def _keep(self, kept: Checkpoints, networks: Networks, loop: Loop) -> _Keeper:
        return _Keeper(kept, networks, loop, list(self._losses), self.ranks.leads and self.unit.split)

    def _sources(self, stage: Stage) -> list[tuple[Shards, Distribution]]:
        """Return the examples of the scope and what their negatives are drawn from, of each scenario of the scope."""
        scope, bench = self.unit.scope, self.bench
        return self._of(bench.assembler.vocabulary.values("scenario").to_pylist() if scope == ALL else [scope], stage)

    def _beside(self, stage: Stage) -> list[tuple[Shards, Distribution]]:
        """Return the same of the source, where its examples stand beside those of the scope; else nothing."""
        return self._of([self.bench.job.config.transfer.source] if self.strategy.beside else [], stage)

    def _of(self, names: list[str], stage: Stage) -> list[tuple[Shards, Distribution]]:
        found = [self.store.shards(name, stage.since, stage.until) for name in names]
        return [(shards, self._drawn(shards, stage)) for shards in found]

    def _drawn(self, shards: Shards, stage: Stage) -> Distribution:
        settings = self.bench.job.config.negatives
        if self.bench.job.kept is not None:
            return Distribution.of(*shards.taken(), settings)
        return Distribution.fit(self.bench.assembler.items, settings, shards.scenario, stage.until)

    def _knowing(self, stage: Stage) -> Stage:
        """Return the stage with what its networks read of associations, where they read any."""
        found = self.bench.associating
        if found is None:
            return stage
        self.bench.watch.beat(f"associating items for {self.unit.title} fit {stage.fit}")
        scope = self.unit.scope if self.own_only else ALL
        since = stage.since if self.strategy.learning else stage.until
        return replace(stage, associations=found.between(since, stage.until, scope, self.ranks))

    def _loop(self, name: str, networks: Networks, sources: list[tuple[Shards, Distribution]], stage: Stage) -> Loop:
        """Return the loop of one network; a scope without examples has no steps."""
        bench, config, unit = self.bench, self.bench.job.config, self.unit
        settings = config.retriever if name == "retriever" else config.ranker
        seed = int(salt(config.seed, name, unit.contender, unit.scope, stage.fit) >> np.uint64(33))
        fresh = unit.scope in (config.transfer.source, ALL)
        large = fresh and not self.strategy.tasks  # a task's batch is one of those that targets learn by
        rate = settings.learning_rate if self.strategy.fresh else config.transfer.learning_rate
        epochs = settings.epochs if fresh else config.transfer.epochs
        epochs = (1 if stage.continued else epochs) if name in self.strategy.learning else 0
        batch = settings.batch if large else config.transfer.batch
        parts, others = (
            [self._objective(name, stage, networks, shards, drawn, batch, seed) for shards, drawn in some]
            for some in (sources, self._beside(stage))
        )
        objective = self._together(networks.network(name), parts, others, seed, epochs)
        groups = self.strategy.groups(networks.network(name), rate * (CONTINUED if stage.continued else 1.0))
        place = Place(name, unit.contender, unit.scope, stage.fit)
        return Loop(place, objective, groups, epochs, self.ranks, bench.watch, bench.progress, settings.averaged)

    def _together(
        self, network: nn.Module, parts: list[Objective], others: list[Objective], seed: int, epochs: int
    ) -> Objective:
        """Return one objective of those of the scope, and of those beside them."""
        given = self.bench.job.config.transfer
        likeness = self.strategy.likeness(given, self.ranks)
        if likeness is not None:
            return beside(network, parts[0], others[0], likeness, seed, epochs)
        if self.strategy.tasks:
            return Tasks(network, parts, given.meta, seed, self.ranks)
        return parts[0] if len(parts) == 1 else Jointly(network, parts)

    def _objective(
        self, name: str, stage: Stage, networks: Networks, shards: Shards, drawn: Distribution, batch: int, seed: int
    ) -> Objective:
        config = self.bench.job.config
        reading = config.ranker if name == "ranker" else config.retriever
        negatives = config.ranker.negatives if name == "ranker" else 0
        associated = stage.associations.learning if name == "ranker" else None
        fed = self.bench.assembler, drawn, batch, seed, negatives, self.own_only, associated
        loader = Loader(shards, *fed, *self._elsewhere(reading.elsewhere, stage))
        contrast = Contrast(reading.augment, reading.contrastive, self.ranks)
        if name == "ranker":
            return Ranking(networks.ranker, loader, seed, contrast, config.ranker.sparsity)
        asked = networks.retriever, loader, seed, config.retriever.negatives, shards.scenario, contrast
        if not isinstance(networks.retriever, RetrieverGenerative):
            return Retrieving(*asked)
        given = config.transfer.generative
        rise = 0.0 if stage.continued else given.anneal * config.retriever.epochs
        return Generating(*asked, beta=given.beta, rise=rise)

    def _elsewhere(self, share: float, stage: Stage) -> tuple[Elsewhere | None, float]:
        """Return what users did elsewhere by the end of a fit, where that is read; a control knows nothing of it."""
        if share == 0.0 or self.own_only:
            return None, 0.0
        self.bench.watch.beat(f"reading what users did elsewhere for {self.unit.title} fit {stage.fit}")
        return self.bench.elsewhere(stage.until), share

    def _save(self, stage: Stage, networks: Networks, examples: int) -> None:
        job, unit = self.bench.job, self.unit
        file = job.losses_file(stage.fit, unit)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(loss.row() for loss in self._losses), encoding="utf-8")
        meta = {
            "contender": unit.contender,
            "scope": unit.scope,
            "fit": stage.fit,
            "until": stage.until.isoformat(),
            "since": stage.since.isoformat(),
            "examples": examples,
            "continued": stage.continued,
            "fingerprint": job.fingerprint,
            "recipe": job.recipe,
            "crosses": self.strategy.crosses,
            "vectors": revision(self.bench.vectors),
        }
        fitted = NetworkFitted(networks, self.own_only, stage.associations.tonight, job.config.ranker.candidates)
        save_fitted(fitted, job.fit_folder(stage.fit, unit), meta)


@dataclass(frozen=True)
class _Keeper:
    """Writes a checkpoint after each epoch, where this rank is the one that does."""

    kept: Checkpoints
    networks: Networks
    loop: Loop
    losses: list[Loss]
    writes: bool

    def __call__(self, epoch: int) -> None:
        if self.writes:
            self.kept.write(self.networks, self.loop, self.losses, epoch)


def load_networks(folder: Path) -> Networks:
    """Return the networks of a saved fit."""
    fitted = load_fitted(folder)
    if not isinstance(fitted, NetworkFitted):
        raise TrainError(
            f"{folder} holds no networks but a contender of kind {fitted.kind}; remove it and run the step again"
        )
    return fitted.networks
