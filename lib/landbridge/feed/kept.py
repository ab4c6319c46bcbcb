"""Which rows networks may learn from where a study keeps some from them: rows of parts, and what users have lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from landbridge.feed.hashing import hash_strings
from landbridge.feed.interactions import Interactions
from landbridge.feed.states import States


@dataclass(frozen=True)
class Kept:
    """Rows of some parts, without what some users did in one scenario.

    Attributes
    ----------
    parts
        The parts of ``split.part`` that are learned from.
    scenario
        Where `user_ids` have lost everything: their examples there are gone, and so are its events from their
        histories, and all features of theirs, which would tell; empty where nobody has lost anything.
    user_ids
        Who has.
    """

    parts: tuple[str, ...]
    scenario: str = ""
    user_ids: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()))

    @property
    def where(self) -> pc.Expression:
        """The parts, as a filter over `examples`."""
        return pc.field("part").isin(list(self.parts))

    @property
    def identity(self) -> str:
        """What names it: the same rows stay by the same name."""
        users = ",".join(map(str, hash_strings(self.user_ids)))
        return hashlib.sha256(f"{self.parts}{self.scenario}{users}".encode()).hexdigest()[:16]

    def lost(self, user_id: pa.Array) -> NDArray[np.bool_]:
        """Return whether each user is one who has lost something."""
        return np.asarray(pc.is_in(user_id, value_set=self.user_ids), np.bool_)

    def stays(self, user_id: pa.Array, scenario: pa.Array) -> NDArray[np.bool_]:
        """Return whether each row, of a user and a scenario, is still there."""
        there: NDArray[np.bool_] = np.asarray(pc.equal(scenario, self.scenario), np.bool_)
        return ~(there & self.lost(user_id))

    def of(self, rows: Interactions) -> Interactions:
        """Return the rows of the parts that are still there."""
        if not self.scenario:
            return rows
        there_N = rows.scenario == rows.vocabulary.id("scenario", self.scenario)
        return rows.where(~(there_N & self.lost(rows.user_ids)[rows.user]))

    def masked(self, states: States, user_id: pa.Array, scenario: int) -> States:
        """Return the states as they are without what was lost in the scenario of an id."""
        lost_B = self.lost(user_id)
        if not lost_B.any():
            return states
        gone_BL = lost_B[:, None] & (states.scenario_BL == scenario)
        kept = states.keeping((states.item_BL > 0) & ~gone_BL)
        return replace(kept, user_BF=np.where(lost_B[:, None], np.float32(0), states.user_BF))

    def write(self, file: Path) -> None:
        """Write it so that the processes of a job find it."""
        table = pa.table({"user_id": self.user_ids})
        facts = {"parts": "\n".join(self.parts), "scenario": self.scenario}
        pq.write_table(table.replace_schema_metadata(facts), file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `write` wrote."""
        table = pq.read_table(file, partitioning=None)
        facts = table.schema.metadata or {}
        parts = tuple(facts[b"parts"].decode().split("\n"))
        return cls(parts, facts[b"scenario"].decode(), table["user_id"].combine_chunks())
