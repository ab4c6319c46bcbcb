"""The description of a training job: one JSON file that every process reads. It names pinned table versions and
what to fit.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from landbridge.config.days import FITS, Days, Fit, days_of
from landbridge.config.schema import Config
from landbridge.contenders.folder import fit_folder, scope_folder
from landbridge.feed.kept import Kept
from landbridge.lake.lake import Lake

_CLOUD = ("AWS_", "AZURE_", "GOOGLE_")
"""Environment variables that reach an object store; they travel in the job file, which nobody else may read, not
on a command line."""


KEPT = "kept.parquet"
"""What may be learned from, beside the job's file."""


class Launched(Protocol):
    """What a launcher must know of a job, whatever its processes do."""

    @property
    def step(self) -> str:
        """The step that it belongs to."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def models(self) -> Path:
        """The night's folder."""

    @property
    def progress(self) -> Path:
        """The file of JSON lines that the processes append to and the launcher follows."""

    @property
    def worker(self) -> str:
        """The module that a process runs; its `start` takes the job's file and what makes the ranks."""

    def write(self, file: Path) -> None:
        """Write the job so that only this user can read it."""


@dataclass(frozen=True)
class Warm:
    """An earlier night's fit A to continue: its folder, and the last day that it learned."""

    folder: str
    ds: str
    until: str


@dataclass(frozen=True)
class Unit:
    """One contender of one scope, through its fits A, B, C.

    `network` says whether it is fitted by steps; then `split` says whether all ranks share it. `done` are fits
    that a run of the same
    fingerprint has ended. `cost` orders the units when they are dealt out; it is in seconds of one core, roughly.
    """

    contender: str
    scope: str
    network: bool
    split: bool
    cost: float
    done: tuple[str, ...] = ()
    warm: Warm | None = None

    @property
    def title(self) -> str:
        """As a person reads it."""
        return f"{self.contender} ({'all scenarios' if self.scope == '*' else self.scope})"


@dataclass(frozen=True)
class Job:
    """What the processes of one Horovod job are told."""

    step: str
    ds: dt.date
    config: Config
    models: Path
    versions: Mapping[str, int]
    fingerprint: str
    recipe: str
    units: tuple[Unit, ...]
    parent: Mapping[str, Any] = field(default_factory=dict)
    fits: tuple[Fit, ...] = FITS
    """Those that are made, in order; the first knows nothing of an earlier one."""
    kept: Kept | None = None
    """What may be learned from where a study keeps rows from the networks."""
    worker: ClassVar[str] = "landbridge.train.worker"

    @property
    def days(self) -> Days:
        """The days of the night."""
        return days_of(self.config, self.ds)

    @property
    def lake(self) -> Lake:
        """The lake at the versions of the night."""
        return Lake(self.config).pinned(**self.versions)

    @property
    def progress(self) -> Path:
        """The file of JSON lines that the processes append to and the launcher follows."""
        return self.models / f"progress-{self.step}.jsonl"

    def opens(self, unit: Unit) -> bool:
        """Whether a fit of the unit is still to be made."""
        return len(unit.done) < len(self.fits)

    def fit_folder(self, fit: str, unit: Unit) -> Path:
        """Where a fit of a unit is saved."""
        return fit_folder(self.models, fit, unit.scope, unit.contender)

    def losses_file(self, fit: str, unit: Unit) -> Path:
        """Where the losses of a fit are kept."""
        return self.models / "losses" / fit / scope_folder(unit.scope) / f"{unit.contender}.csv"

    def write(self, file: Path) -> None:
        """Write the job so that only this user can read it: it may hold keys of an object store."""
        tree = {
            "step": self.step,
            "ds": self.ds.isoformat(),
            "config": config_tree(self.config),
            "models": str(self.models.resolve()),
            "versions": dict(self.versions),
            "fingerprint": self.fingerprint,
            "recipe": self.recipe,
            "units": [asdict(unit) for unit in self.units],
            "parent": dict(self.parent),
            "fits": list(self.fits),
            "kept": None if self.kept is None else str((self.models / KEPT).resolve()),
        }
        if self.kept is not None:
            self.kept.write(self.models / KEPT)
        write_tree(tree, file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `write` wrote, and set the environment that it carries."""
        tree = read_tree(file)
        return cls(
            tree["step"],
            dt.date.fromisoformat(tree["ds"]),
            Config.model_validate(tree["config"]),
            Path(tree["models"]),
            tree["versions"],
            tree["fingerprint"],
            tree["recipe"],
            tuple(_unit(unit) for unit in tree["units"]),
            tree["parent"],
            tuple(tree["fits"]),
            None if tree["kept"] is None else Kept.read(Path(tree["kept"])),
        )


def config_tree(config: Config) -> dict[str, Any]:
    """Return a configuration as a job's file holds it.

    Raw columns are never read by its processes, and so the key of their pseudonyms stays away.
    """
    tree = config.model_dump(mode="json")
    tree["data"]["pseudonyms"] = None
    return tree


def write_tree(tree: Mapping[str, Any], file: Path) -> None:
    """Write what a job is told, with the keys of an object store, so that only this user can read it."""
    environment = {key: value for key, value in os.environ.items() if key.startswith(_CLOUD)}
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump({**tree, "environment": environment}, out, indent=1, sort_keys=True)


def read_tree(file: Path) -> dict[str, Any]:
    """Read what `write_tree` wrote, and set the environment that it carries."""
    tree: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    os.environ.update(tree["environment"])
    return tree


def _unit(tree: dict[str, Any]) -> Unit:
    warm = tree.pop("warm")
    done = tuple(tree.pop("done"))
    return Unit(**tree, done=done, warm=Warm(**warm) if warm else None)


def deal(units: tuple[Unit, ...], ranks: int) -> list[list[Unit]]:
    """Return the units that are not split, dealt out whole: the longest first, each to the rank with the least work."""
    hands: list[list[Unit]] = [[] for _ in range(ranks)]
    load = [0.0] * ranks
    for unit in sorted(
        (unit for unit in units if not unit.split), key=lambda unit: (-unit.cost, unit.contender, unit.scope)
    ):
        rank = load.index(min(load))
        hands[rank].append(unit)
        load[rank] += unit.cost
    return hands
