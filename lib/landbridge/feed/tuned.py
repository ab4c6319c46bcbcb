"""What a tuned encoder has seen, and who may read its vectors: nobody who may know less."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from landbridge.config.study import ColdItems


@dataclass(frozen=True)
class Tuned:
    """An encoder that was tuned on events.

    Attributes
    ----------
    revision
        Which its vectors carry in `item_vectors`.
    until
        The last day of the events that it learned from; where the split declares parts, of their part train alone.
    apart
        The cold items of a study that it was tuned without, as ``asin/10``, and without users of several scenarios;
        empty where it was tuned with all of them.
    """

    revision: str
    until: dt.date
    apart: str = ""

    @classmethod
    def of(cls, note: Mapping[str, Any]) -> Self:
        """Return what `note` made."""
        return cls(note["revision"], dt.date.fromisoformat(note["until"]), note["apart"])

    @property
    def note(self) -> dict[str, str]:
        """As the ledger and a record keep it."""
        return {"revision": self.revision, "until": self.until.isoformat(), "apart": self.apart}

    def is_known_by(self, until: dt.date, cold: ColdItems | None = None) -> bool:
        """Whether a fit that knows the days up to `until` knows all that the encoder has seen.

        A fit that is judged on cold items knows nothing of them, nor what their buyers took after them.
        """
        return self.until <= until and (cold is None or self.apart == apart(cold))


def apart(cold: ColdItems | None) -> str:
    """Return which items a study leaves out, as a record keeps it."""
    return "" if cold is None else f"{cold.by}/{cold.one_in}"
