"""The tuning of an encoder by ranks: rounds of steps, after each the held-out users, the best round kept."""

from __future__ import annotations

import shutil
import time
from typing import Any

import torch

from landbridge.adapt import checkpoint
from landbridge.adapt.adapters import adapted, learning, save_merged, set_state, state
from landbridge.adapt.checkpoint import Progressed
from landbridge.adapt.held import HeldOut
from landbridge.adapt.job import TuneJob
from landbridge.adapt.objective import Pairing
from landbridge.feed.pairs import Pairs
from landbridge.train.checkpoints import optimizer_state, set_optimizer_state
from landbridge.train.loop import Loop, Place
from landbridge.train.progress import Progress
from landbridge.train.ranks import Ranks
from landbridge.train.watch import Watch

HEADER = "round,step,loss\n"


class Enough(Exception):  # noqa: N818  (it says no error)
    """The last rounds were no better than one before."""


class Timed(Progress):
    """Tells with each line how long the tuning still takes at most."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress.file, progress.rank)
        self._begun, self._first = time.monotonic(), -1

    def step(self, **facts: Any) -> None:
        """Tell of a training step, unless one was told of just now."""
        place, whole = facts["epoch"] * facts["steps"] + facts["step"], facts["epochs"] * facts["steps"]
        if self._first < 0:
            self._begun, self._first = time.monotonic(), place
            return
        left = (time.monotonic() - self._begun) / (place - self._first) * (whole - place - 1)
        super().step(**facts, left=f", {left / 60:.1f} min left")


class Tuning:
    """One tuning, on one of its ranks."""

    def __init__(self, job: TuneJob, ranks: Ranks, watch: Watch, progress: Progress) -> None:
        assert job.encode.tune is not None
        self.job, self.ranks, self.watch, self.progress, self.settings = job, ranks, watch, progress, job.encode.tune
        watch.beat("loading the encoder")
        self.encoder = adapted(job.source, job.encode, self.settings)
        self.pairs = Pairs.read(job.pairs, held=False)
        self.held = HeldOut(Pairs.read(job.pairs, held=True), self.settings.seed)
        self.loop = self._loop()
        self.progressed = self._begun()

    def run(self) -> None:
        """Train, and leave the model of the best round; where none is better than the encoder as it came, no model."""
        try:
            if not self._is_enough():
                self.loop.run(self.progressed.done, self._after)
        except Enough:
            self.progress.tell("note", text=f"  no better round for {self.settings.patience} rounds: tuning ends")
        if self.ranks.leads:
            self._save()
        self.ranks.barrier()

    def _loop(self) -> Loop:
        objective = Pairing(self.encoder, self.pairs, self.settings, self.ranks)
        groups = [{"params": list(learning(self.encoder).values()), "lr": self.settings.learning_rate}]
        place = Place("encoder", "tuned", "*", "A")
        return Loop(place, objective, groups, self.settings.rounds, self.ranks, self.watch, Timed(self.progress))

    def _begun(self) -> Progressed:
        """Take up what a run of the same fingerprint left, or ask the held-out users before the first step."""
        found = checkpoint.read(self.job.checkpoint, self.job.fingerprint)
        if found is not None:
            set_state(self.encoder, found.adapters)
            set_optimizer_state(self.loop, found.optimizer)
            return found
        before = Progressed([self.held.ask(self.encoder, self.ranks)])
        self._tell(before)
        return before

    def _after(self, epoch: int) -> None:
        """Ask the held-out users after a round, remember the best, write a checkpoint."""
        now = self.progressed
        now.done = epoch + 1
        self.watch.beat(f"asking the held-out users after round {now.done}")
        now.found.append(self.held.ask(self.encoder, self.ranks))
        now.adapters, now.optimizer = state(self.encoder), optimizer_state(self.loop)
        now.losses += [(loss.epoch, loss.step, loss.loss) for loss in self.loop.losses]
        self.loop.losses.clear()
        if now.found[-1].better_than(now.found[now.best]):
            now.best, now.kept = now.done, now.adapters
        self.watch.beat(f"keeping round {now.done}")
        if self.ranks.leads:
            checkpoint.write(now, self.job.checkpoint, self.job.fingerprint)
        self._tell(now)
        if self._is_enough():
            raise Enough

    def _is_enough(self) -> bool:
        now = self.progressed
        return now.done >= self.settings.rounds or now.done - now.best >= self.settings.patience

    def _tell(self, now: Progressed) -> None:
        if self.ranks.leads:
            told = now.found[-1]
            self.progress.tell("round", number=now.done, of=self.settings.rounds, recall=told.recall, mrr=told.mrr)

    def _save(self) -> None:
        now, work = self.progressed, self.job.work
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        rows = [f"{epoch},{step},{loss:.9g}\n" for epoch, step, loss in now.losses]
        self.job.losses.write_text(HEADER + "".join(rows), encoding="utf-8")
        if now.best:
            self.watch.beat("saving the tuned encoder")
            set_state(self.encoder, now.kept)
            save_merged(self.encoder, self.job.source, self.job.encode, work / "model")
        before, best = now.found[0], now.found[now.best]
        facts = {"round": now.best, "rounds": now.done, "pairs": len(self.pairs)}
        measured = {"recall_before": before.recall, "recall": best.recall, "mrr_before": before.mrr, "mrr": best.mrr}
        self.progress.tell("tuned", **facts, **measured, first_loss=_mean(now, 0), loss=_mean(now, now.done - 1))


def _mean(now: Progressed, epoch: int) -> float:
    """Return the mean loss of a round."""
    return float(torch.tensor([loss for number, _, loss in now.losses if number == epoch]).mean())
