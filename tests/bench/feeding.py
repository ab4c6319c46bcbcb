"""Feeding: shuffled batches of 4096 examples, each with its user's last events, the user's and the item's features.

All contenders hand out the same fields of the same examples, as the store has them. Ours shuffles blocks of 64
histories, then the histories within windows of 64 blocks, and keeps the examples of a history together, so that a batch
holds it once; the peers' rows bear it with every example, as the table does. The store is made from the table's texts
once a content of the table, and mapped from then on; the peers' files hold numbers from the beginning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.bench import feeding_peers as peers
from tests.bench.feeding_peers import BATCH, Table
from tests.bench.rounds import Contender, Work
from tests.bench.shop import shop
from tests.lakes import SOURCE

from landbridge.feed.assemble import Assembler
from landbridge.feed.batches import Batch, Loader
from landbridge.feed.materialise import HISTORY
from landbridge.feed.negatives import Distribution
from landbridge.feed.shards import Shards, Store

_BY_ROW = 40_000
"""Rows that are timed of what reads row by row."""
_EXAMPLE = ("e.item", "e.outcome", "e.had", "e.new", "e.hash", "e.feature")


def works(scale: float, folder: Path) -> Sequence[Work]:
    """Return the work; 1.0 is 5 million examples."""
    lake, config, until = shop(folder / "shop", max(BATCH, round(5_000_000 * scale)))
    assembler = Assembler.fit(lake, config, until, until)
    draws = Distribution.fit(assembler.items, config.negatives, assembler.vocabulary.id("scenario", SOURCE), until)

    def loader() -> Loader:
        shards = Store.open(lake, assembler, None, until, scenarios=[SOURCE]).shards(SOURCE)
        return Loader(shards, assembler, draws, BATCH, seed=7)

    def anew() -> None:
        shutil.rmtree(cached.shards.store.folder)
        _epoch(loader())()

    cached = loader()
    rows = len(cached.shards)
    table = Table.written(folder, _words(cached.shards))
    some = min(rows, _BY_ROW)
    contenders = [
        Contender("landbridge Loader", "ours", rows, _epoch(cached)),
        Contender("landbridge Loader, store made from Delta before", "ours", rows, anew),
        Contender("torch DataLoader, row by row", "peer", some, lambda: peers.row_by_row(table, some)),
        Contender("pyarrow Parquet, buffer of a million rows", "peer", rows, lambda: peers.parquet(table)),
        Contender("one gather a batch from a memory map", "floor", rows, lambda: peers.gather(table)),
    ]
    note = f"{rows:,} examples of {4 * table.width} bytes, histories of {config.features.history}, batches of {BATCH}"
    return [Work("feeding", "rows", note, contenders)]


def _epoch(loader: Loader) -> Callable[[], None]:
    def run() -> None:
        handed = sum(_rows(batch) for batch in loader.epoch(0))
        if handed != len(loader.shards):
            raise ValueError(f"the loader handed out {handed} of {len(loader.shards)} examples")

    return run


def _rows(batch: Batch) -> int:
    return int((batch.weight_B > 0).sum())


def _words(shards: Shards) -> NDArray[np.int32]:
    """Return everything that a batch has of an example, as words [N, W]."""
    arrays = shards.store.arrays
    history_N = arrays["e.history"]
    wide = [arrays[f"h.{name}"][history_N] for name in HISTORY] + [arrays["h.day"][history_N]]
    parts = [part.reshape(len(history_N), -1) for part in (*wide, *(arrays[name] for name in _EXAMPLE))]
    return np.concatenate([_as_words(part) for part in parts], axis=1)


def _as_words(part_NX: NDArray[np.generic]) -> NDArray[np.int32]:
    kept = part_NX.astype(np.int32) if part_NX.dtype.itemsize < 4 else np.ascontiguousarray(part_NX)
    return kept.view(np.int32)
