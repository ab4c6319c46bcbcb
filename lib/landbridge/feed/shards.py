"""The examples of a scenario as memory-mapped arrays of the virtual shards a rank owns, made once per table content."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.config.schema import Config
from landbridge.errors import ConfigError, DataError, LakeError
from landbridge.feed.assemble import Assembler
from landbridge.feed.interactions import days_since_epoch
from landbridge.feed.kept import Kept
from landbridge.feed.materialise import SHARDS, materialise
from landbridge.lake.lake import Lake

__all__ = ["SHARDS", "Shards", "Store"]

_KEEP = 8
"""Stores kept in the cache; those used longest ago go first."""
_FORMAT = 4
_READ = 1 << 14
"""Histories that are looked at together."""
_DIVISORS = ", ".join(str(n) for n in range(1, SHARDS + 1) if SHARDS % n == 0)


@dataclass(frozen=True)
class Store:
    """The materialised examples of some scenarios and days, of the virtual shards that a rank owns: memory maps."""

    folder: Path
    assembler: Assembler
    rank: int
    world: int
    since: dt.date | None
    until: dt.date
    scenarios: tuple[str, ...] | None
    arrays: Mapping[str, NDArray[Any]]
    """As `materialise` describes them."""

    @classmethod
    def open(
        cls,
        lake: Lake,
        assembler: Assembler,
        since: dt.date | None,
        until: dt.date,
        rank: int = 0,
        world: int = 1,
        scenarios: Sequence[str] | None = None,
        kept: Kept | None = None,
    ) -> Self:
        """Return the store of days (since, until], read from the lake in one pass where the cache lacks it.

        Parameters
        ----------
        scenarios
            Which ones; all of them when left out.
        kept
            Which of their rows may be learned from; all of them when left out.
        """
        owned, chosen = owned_shards(rank, world), None if scenarios is None else tuple(sorted(scenarios))
        key = {
            "format": _FORMAT,
            "examples": lake.digest("examples", until),
            "histories": lake.digest("histories", until),
            "lake": lake.path("examples"),
            "since": str(since),
            "until": str(until),
            "scenarios": chosen,
            "owned": owned,
            "assembler": assembler.digest,
            **({} if kept is None else {"kept": kept.identity}),
        }
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
        folder = cache_folder(lake.config) / name
        if not folder.exists():
            _write(folder, materialise(lake, assembler, since, until, owned, chosen, kept))
        os.utime(folder)
        arrays = {file.stem: _mapped(file) for file in sorted(folder.glob("*.npy"))}
        return cls(folder, assembler, rank, world, since, until, chosen, arrays)

    def shards(self, scenario: str, since: dt.date | None = None, until: dt.date | None = None) -> Shards:
        """Return the examples of a scenario in days (since, until] of those the store holds."""
        if self.scenarios is not None and scenario not in self.scenarios:
            raise DataError(
                f"the examples of {scenario} were not read; open the store with it (it has {', '.join(self.scenarios)})"
            )
        code = self.assembler.vocabulary.id("scenario", scenario)
        low = -(2**31) if since is None else days_since_epoch(since)
        high = days_since_epoch(until or self.until)
        day, tally = self.arrays["h.day"], self.arrays["tally"]
        chosen = np.flatnonzero((self.arrays["h.scenario"] == code) & (day > low) & (day <= high))
        rows = tally[(tally[:, 0] == code) & (tally[:, 1] > low) & (tally[:, 1] <= high)]
        counts = np.bincount(rows[:, 2], weights=rows[:, 3], minlength=SHARDS).astype(np.int64)
        by_shard = {
            shard: chosen[self.arrays["h.shard"][chosen] == shard] for shard in owned_shards(self.rank, self.world)
        }
        return Shards(self, code, by_shard, tuple(counts.tolist()))


@dataclass(frozen=True)
class Shards:
    """The examples of one scenario in some days: a view of a store."""

    store: Store
    scenario: int
    histories: Mapping[int, NDArray[np.intp]]
    """Rows of the store's histories, by owned virtual shard."""
    counts: tuple[int, ...]
    """Examples of every virtual shard, owned or not, shape S."""

    @classmethod
    def open(
        cls,
        lake: Lake,
        assembler: Assembler,
        scenario: str,
        since: dt.date | None,
        until: dt.date,
        rank: int = 0,
        world: int = 1,
    ) -> Shards:
        """Return the shards of a rank (s % world == rank) of one scenario; for several, open one `Store`."""
        return Store.open(lake, assembler, since, until, rank, world, [scenario]).shards(scenario, since, until)

    def __len__(self) -> int:
        """The number of owned examples."""
        return sum(self.counts[shard] for shard in self.histories)

    @property
    def total(self) -> int:
        """The number of examples over all ranks."""
        return sum(self.counts)

    def taken(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return item ids, ascending, and how many examples each has over all ranks; of a store of kept rows."""
        taken = self.store.arrays["taken"]
        rows = taken[(taken[:, 0] == self.scenario) & (taken[:, 1] > 0)]
        return rows[:, 1].astype(np.int32), rows[:, 2]

    def items(self, own_only: bool) -> NDArray[np.bool_]:
        """Return whether each item id is in an owned example or in its history (of the scenario alone), shape I."""
        arrays = self.store.arrays
        met_I = np.zeros(self.store.assembler.vocabulary.size("item_id"), np.bool_)
        inside_H = np.zeros(len(arrays["h.day"]), np.bool_)
        for rows in self.histories.values():
            inside_H[rows] = True
            for start in range(0, len(rows), _READ):
                some = rows[start : start + _READ]
                item_BL, where_BL = arrays["h.item_BL"][some], arrays["h.scenario_BL"][some]
                met_I[item_BL[where_BL == self.scenario] if own_only else item_BL] = True
        met_I[arrays["e.item"][inside_H[arrays["e.history"]]]] = True
        return met_I


def owned_shards(rank: int, world: int) -> tuple[int, ...]:
    """Return the virtual shards of a rank.

    Raises
    ------
    ConfigError
        If the ranks would not own equally many.
    """
    if world < 1 or SHARDS % world:
        raise ConfigError(
            f"train.processes {world} does not divide the {SHARDS} virtual shards, so ranks would train on unequal "
            f"parts and wait for each other for ever; set it to {_DIVISORS}"
        )
    if not 0 <= rank < world:
        raise ConfigError(f"rank {rank} is not one of {world} processes; ranks count from 0")
    return tuple(shard for shard in range(SHARDS) if shard % world == rank)


def cache_folder(config: Config) -> Path:
    """Where materialised shards lie."""
    return Path(config.folder) / "cache" / "feed"


def _write(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write under a temporary name and rename: a folder that exists is complete, and two writers do no harm."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        temporary.rename(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not folder.exists():
            raise LakeError(
                f"{folder} cannot be written: {error.strerror}; free or unlock the place, then run the same command"
            ) from None
    _prune(folder.parent, folder)


def _prune(parent: Path, newest: Path) -> None:
    """Remove what was used longest ago; a process that has it mapped keeps its pages."""
    folders = sorted((path for path in parent.iterdir() if path.is_dir() and path != newest), key=_used)
    for folder in folders[: max(0, len(folders) + 1 - _KEEP)]:
        shutil.rmtree(folder, ignore_errors=True)


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _mapped(file: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an empty array cannot be mapped
        mapped = np.load(file, allow_pickle=False)
    return mapped
