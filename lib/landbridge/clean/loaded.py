"""Which days the lake holds already, cleaned from the files as they are now and by the recipe of now.

The ledger's notes of former nights say of each day they loaded: the signature of its files, and the digest of the day's
partition in `events` that came of it. A day is loaded when one of these records agrees with both the files and the
table of now; so no order among the records is needed, and a restored or half-written table is found out.
Where the ledger has no record, the day is loaded again, which changes nothing but time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from landbridge.clean.files import LogFile, signature
from landbridge.lake.lake import Lake
from landbridge.lake.notes import step_notes


@dataclass(frozen=True)
class Loaded:
    """What former nights loaded (`records`: day, signature, digest) and what `events` holds now (`digests`, by day)."""

    records: frozenset[tuple[str, str, str]]
    digests: Mapping[dt.date, str]

    @classmethod
    def read(cls, lake: Lake) -> Loaded:
        """Read the notes of `clean` from the ledger, of all days and generations."""
        records = {
            (day, told[0], told[1])
            for notes in step_notes(lake, "clean")
            for day, told in notes.get("files", {}).items()
        }
        return cls(frozenset(records), lake.digests("events"))

    def is_current(self, day: dt.date, files: Iterable[LogFile], recipe: str) -> bool:
        """Whether the day was loaded from these files by this recipe, and still is."""
        digest = self.digests.get(day)
        return digest is not None and (day.isoformat(), signature(files, recipe), digest) in self.records
