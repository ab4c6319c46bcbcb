"""Pairs of texts of items that the same user took: what an encoder is tuned on, as a rank holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from landbridge.feed.hashing import chained, uniform

COLUMNS = ("user", "first", "second", "held")
"""Of the files: a hash of the user, both texts, and whether the user is held out."""


@dataclass(frozen=True)
class Pairs:
    """P pairs of T distinct texts.

    Attributes
    ----------
    texts
        The distinct texts; equal texts are one, whoever's they are.
    first_P, second_P
        int32 positions in `texts`.
    user_P
        int64 hashes.
    """

    texts: tuple[str, ...]
    first_P: NDArray[np.int32]
    second_P: NDArray[np.int32]
    user_P: NDArray[np.int64]

    def __len__(self) -> int:
        """The number of pairs P."""
        return len(self.user_P)

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Return those of a table (user, first, second), in an order that does not depend on that of its rows."""
        table = table.sort_by([(name, "ascending") for name in COLUMNS[:3]])
        both = pa.chunked_array([*table["first"].chunks, *table["second"].chunks], pa.string()).combine_chunks()
        coded = both.dictionary_encode()
        code = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        count = table.num_rows
        user: NDArray[np.int64] = table["user"].to_numpy()
        return cls(tuple(coded.dictionary.to_pylist()), code[:count], code[count:], user)

    @classmethod
    def read(cls, folder: Path, held: bool) -> Self:
        """Read the pairs of a folder of Parquet files, of the users that are held out or of the others."""
        table = pq.read_table(folder, columns=list(COLUMNS), filters=[("held", "=", held)])
        return cls.of(table.select(COLUMNS[:3]))

    def logq(self) -> NDArray[np.float32]:
        """Return logq_T, the log of how often a text stands in a pair, as a share."""
        count_T = np.bincount(np.concatenate([self.first_P, self.second_P]), minlength=len(self.texts))
        share: NDArray[np.float32] = np.log(count_T / (2 * len(self))).astype(np.float32)
        return share

    def order(self, seed: int, epoch: int) -> NDArray[np.intp]:
        """Return all pairs in the order of an epoch, the same on every rank."""
        return np.argsort(uniform(chained(seed, epoch, np.arange(len(self)))), kind="stable")
