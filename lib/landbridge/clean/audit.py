"""Counts by day and rule, and what they must fulfil before anything is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from landbridge.clean.parse import BROKE, CHANGED, RAW, REMOVED, rules_of
from landbridge.clean.read import DAY, FILE
from landbridge.config.schema import Config
from landbridge.errors import DataError


@dataclass(frozen=True)
class Day:
    """A day's rows that became events or went to quarantine, and how often each rule struck.

    `content` is the same for the same events, where it was asked for.
    """

    events: int
    quarantined: int
    rules: Mapping[str, int]
    garbled: str | None
    content: str = ""


@dataclass(frozen=True)
class Counts:
    """The counts of every loaded day; `read` is the number of rows as they came out of the files."""

    days: Mapping[dt.date, Day]
    read: int

    @property
    def events(self) -> int:
        """Rows that became events."""
        return sum(day.events for day in self.days.values())

    @property
    def quarantined(self) -> int:
        """Rows that went to quarantine."""
        return sum(day.quarantined for day in self.days.values())

    @property
    def rules(self) -> dict[str, int]:
        """Rows by rule over all days, most frequent first; a removed row counts for every rule it broke."""
        total: Counter[str] = Counter()
        for day in self.days.values():
            total.update(day.rules)
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    def notes(self) -> dict[str, object]:
        """What the ledger keeps."""
        return {
            "rows": self.read,
            "events": self.events,
            "quarantined": self.quarantined,
            "days": len(self.days),
            "rules": self.rules,
        }

    def metrics(self) -> dict[str, float]:
        """What the tracker keeps."""
        return {"rows": float(self.read), "events": float(self.events), "quarantined": float(self.quarantined)}

    def sentence(self) -> str:
        """What a person reads."""
        return f"{self.read:,} rows: {self.events:,} events, {self.quarantined:,} in quarantine"


def observed(raw: DataFrame) -> tuple[DataFrame, Observation]:
    """Return the frame, and what will have counted its rows on their way to the first rule."""
    read = Observation()
    return raw.observe(read, F.count(F.lit(1)).alias("rows")), read


def count(raw: DataFrame, read: Observation, rows: DataFrame, content: Column | None = None) -> Counts:
    """Count what became of the rows, which computes them, and compare with what was read.

    The counts are as many as days times rules, so they fit the driver. `content` is a number for each row, by which the
    content of a day is told from another one.
    """
    removed = F.col(REMOVED)
    garbled = F.when(F.contains(RAW, F.lit("\ufffd")), F.struct(F.col(FILE).alias("file"), F.col(RAW).alias("raw")))
    flags = [(name, prefix + name) for prefix in (BROKE, CHANGED) for name in rules_of(rows, prefix)]
    struck = (F.count_if(F.col(f"`{flag}`")).alias(flag) for _, flag in flags)
    daily = rows.groupBy(DAY).agg(
        F.count_if(~removed).alias("events"),
        F.count_if(removed).alias("quarantined"),
        F.min(garbled).alias("garbled"),
        *struck,
        *([] if content is None else [F.bit_xor(F.when(~removed, content)).alias("content")]),
    )
    found = {row[DAY]: row for row in daily.collect()}
    days = {
        day: Day(
            row["events"],
            row["quarantined"],
            {name: row[flag] for name, flag in flags if row[flag]},
            f"{row['garbled'].file}: {row['garbled'].raw}" if row["garbled"] else None,
            "" if content is None else f"{row['events']} {row['content']}",
        )
        for day, row in found.items()
    }
    became = sum(day.events + day.quarantined for day in days.values())
    # Nothing is observed where there are no rows, and a stage that Spark ran twice is observed twice; then the rows are
    # counted by themselves, which reads the files again.
    seen = int(read.get["rows"]) if became else 0
    return Counts(days, seen if seen == became > 0 else raw.count())


def audit(counts: Counts, expected: Collection[dt.date], config: Config) -> None:
    """Refuse days that are empty, garbled, or nearly all bad, and counts that do not add up.

    Raises
    ------
    DataError
        Naming the day, the counts by rule, and the remedy; nothing has been written.
    """
    if counts.read != counts.events + counts.quarantined:
        raise DataError(
            f"{counts.read} rows were read, but {counts.events} events and {counts.quarantined} quarantined rows "
            "are not as many; nothing was written; please report this"
        )
    for day in sorted(expected):
        found = counts.days.get(day)
        if found is None:
            raise DataError(
                f"the file of {day} has no rows; fetch it again, "
                "or declare the day in data.reader.closed and remove the file"
            )
        if found.garbled is not None:
            encoding = config.data.reader.options.get("encoding", "UTF-8")
            raise DataError(
                f"{found.garbled} is not {encoding} text (its bytes were read as U+FFFD); "
                "set data.reader.options.encoding to the file's encoding, for instance ISO-8859-1"
            )
        rows = found.events + found.quarantined
        share = found.quarantined / rows
        if found.events == 0 or share > config.data.max_quarantined:
            raise DataError(
                f"{day}: {found.quarantined} of {rows} rows ({share:.0%}) broke a rule ({_told(found.rules)}), "
                f"allowed is data.max_quarantined {config.data.max_quarantined:.0%}; "
                "mend the file, or the rule, then run the same command"
            )


def _told(rules: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])))
