"""How others feed: a DataLoader over rows, Parquet with a shuffle buffer; and one gather a batch, the floor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

BATCH = 4096
_BUFFER = 1 << 20
_GROUP = 131_072
"""Rows of a row group of the Parquet file."""


@dataclass(frozen=True)
class Table:
    """Rows of W words of 4 bytes: a memory map [N, W], and the same as Parquet with a column a word."""

    map_NW: NDArray[np.int32]
    parquet: Path

    @classmethod
    def written(cls, folder: Path, word_NW: NDArray[np.int32]) -> Self:
        """Write both."""
        np.save(folder / "rows.npy", word_NW)
        columns = {f"w{place:03d}": np.ascontiguousarray(word_NW[:, place]) for place in range(word_NW.shape[1])}
        pq.write_table(pa.table(columns), folder / "rows.parquet", compression="zstd", row_group_size=_GROUP)
        return cls(np.load(folder / "rows.npy", mmap_mode="c"), folder / "rows.parquet")

    @property
    def width(self) -> int:
        """W."""
        return int(self.map_NW.shape[1])


class _Rows(Dataset[Tensor]):
    """The rows of the map, one at a time."""

    def __init__(self, map_NW: NDArray[np.int32]) -> None:
        self.map_NW = map_NW

    def __len__(self) -> int:
        return len(self.map_NW)

    def __getitem__(self, row: int) -> Tensor:
        return torch.from_numpy(self.map_NW[row])


def row_by_row(table: Table, rows: int) -> None:
    """A DataLoader without workers over the first rows: shuffled, row by row, stacked to batches."""
    for batch_BW in DataLoader(_Rows(table.map_NW[:rows]), BATCH, shuffle=True):
        _touch(batch_BW)


def parquet(table: Table) -> None:
    """Row groups in random order through a buffer of a million rows, which is shuffled and cut into batches."""
    fragments = [part for whole in pads.dataset(table.parquet).get_fragments() for part in whole.split_by_row_group()]
    waiting: list[pa.RecordBatch] = []
    for place in np.random.default_rng().permutation(len(fragments)):
        waiting += fragments[place].to_batches(batch_size=_GROUP)
        if sum(part.num_rows for part in waiting) >= _BUFFER:
            _emptied(waiting)
    _emptied(waiting)


def gather(table: Table) -> None:
    """The floor: the rows of each batch out of the map, in a fresh random order."""
    map_NW, order_N = torch.from_numpy(table.map_NW), torch.randperm(len(table.map_NW))
    for start in range(0, len(order_N), BATCH):
        _touch(map_NW[order_N[start : start + BATCH]])


def _emptied(waiting: list[pa.RecordBatch]) -> None:
    """Shuffle what waits, hand it out and forget it."""
    if not waiting:
        return
    table = pa.Table.from_batches(waiting)
    waiting.clear()
    word_NW = np.empty((table.num_rows, table.num_columns), np.int32)
    for place, column in enumerate(table.columns):
        word_NW[:, place] = column.to_numpy()
    rows_NW, order_N = torch.from_numpy(word_NW), torch.randperm(len(word_NW))
    for start in range(0, len(order_N), BATCH):
        _touch(rows_NW[order_N[start : start + BATCH]])


def _touch(batch_BW: Any) -> int:
    """Read one value, as whoever trains would."""
    return int(batch_BW[0, 0])
