"""The examples of a scenario as memory-mapped arrays of the virtual shards a rank owns, made once per table content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.feed.assemble import Assembler
from landbridge.lake.lake import Lake

SHARDS = 8
"""Virtual shards S; fixed, so that what a step sees does not depend on how many processes there are."""


@dataclass(frozen=True)
class Shards:
    """The examples of one scenario in days (since, until] whose users fall into `owned` virtual shards."""

    folder: Path
    owned: tuple[int, ...]
    counts: tuple[int, ...]
    """Examples of every virtual shard, owned or not, shape S."""

    @classmethod
    def open(cls, lake: Lake, assembler: Assembler, scenario: str, since: dt.date | None, until: dt.date, rank: int = 0, world: int = 1) -> Self:
        """Return the shards of a rank (s % world == rank), read from the lake where the cache lacks them."""
        raise NotImplementedError

    def __len__(self) -> int:
        """The number of owned examples."""
        return sum(self.counts[shard] for shard in self.owned)
