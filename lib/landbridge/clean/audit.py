"""Counts by day and rule, and what they must fulfil before anything is written."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from landbridge.clean.parse import CHANGED, RAW, RULES
from landbridge.clean.read import DAY, FILE
from landbridge.config.schema import Config
from landbridge.errors import DataError


@dataclass(frozen=True)
class Day:
    """A day's rows as they were read, those that became events or went to quarantine, and how often each rule struck."""

    read: int
    events: int
    quarantined: int
    rules: Mapping[str, int]
    garbled: str | None


@dataclass(frozen=True)
class Counts:
    """The counts of every loaded day."""

    days: Mapping[dt.date, Day]

    @property
    def rules(self) -> dict[str, int]:
        """Rows by rule over all days, most frequent first; a removed row counts for every rule it broke."""
        total: Counter[str] = Counter()
        for day in self.days.values():
            total.update(day.rules)
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    def notes(self) -> dict[str, object]:
        """What the ledger keeps."""
        return {"rows": self._sum("read"), "events": self._sum("events"), "quarantined": self._sum("quarantined"),
                "days": len(self.days), "rules": self.rules}

    def metrics(self) -> dict[str, float]:
        """What the tracker keeps."""
        return {"rows": float(self._sum("read")), "events": float(self._sum("events")), "quarantined": float(self._sum("quarantined"))}

    def sentence(self) -> str:
        """What a person reads."""
        return f"{self._sum('read'):,} rows: {self._sum('events'):,} events, {self._sum('quarantined'):,} in quarantine"

    def _sum(self, name: str) -> int:
        return sum(getattr(day, name) for day in self.days.values())


def count(raw: DataFrame, rows: DataFrame) -> Counts:
    """Count the rows read, and what became of them; rows in, and not rows out, are counted before any rule.

    The counts are as many as days times rules, so they fit the driver.
    """
    good = F.size(RULES) == 0
    garbled = F.when(F.contains(RAW, F.lit("\ufffd")), F.struct(F.col(FILE).alias("file"), F.col(RAW).alias("raw")))
    daily = rows.groupBy(DAY).agg(F.count_if(good).alias("events"), F.count_if(~good).alias("quarantined"), F.min(garbled).alias("garbled"))
    struck = rows.select(DAY, F.explode(F.concat(RULES, CHANGED)).alias("rule")).groupBy(DAY, "rule").count()
    by_rule: dict[dt.date, dict[str, int]] = {}
    found = {row[DAY]: row for row in daily.collect()}
    for row in struck.collect():
        by_rule.setdefault(row[DAY], {})[row["rule"]] = row["count"]
    read = {row[DAY]: row["count"] for row in raw.groupBy(DAY).count().collect()}
    return Counts({day: Day(read.get(day, 0), row["events"], row["quarantined"], by_rule.get(day, {}),
                            f"{row['garbled'].file}: {row['garbled'].raw}" if row["garbled"] else None)
                   for day, row in found.items()})


def audit(counts: Counts, expected: Collection[dt.date], config: Config) -> None:
    """Refuse days that are empty, garbled, or nearly all bad, and counts that do not add up.

    Raises
    ------
    DataError
        Naming the day, the counts by rule, and the remedy; nothing has been written.
    """
    for day in sorted(expected):
        found = counts.days.get(day)
        if found is None:
            raise DataError(f"the file of {day} has no rows; fetch it again, or declare the day in data.reader.closed and remove the file")
        if found.garbled is not None:
            encoding = config.data.reader.options.get("encoding", "UTF-8")
            raise DataError(f"{found.garbled} is not {encoding} text (its bytes were read as U+FFFD); "
                            "set data.reader.options.encoding to the file's encoding, for instance ISO-8859-1")
        if found.read != found.events + found.quarantined:
            raise DataError(f"{day}: {found.read} rows were read, but {found.events} events and {found.quarantined} quarantined rows are not as many; "
                            "nothing was written; please report this")
        share = found.quarantined / found.read
        if found.events == 0 or share > config.data.max_quarantined:
            raise DataError(f"{day}: {found.quarantined} of {found.read} rows ({share:.0%}) broke a rule ({_told(found.rules)}), "
                            f"allowed is data.max_quarantined {config.data.max_quarantined:.0%}; mend the file, or the rule, then run the same command")


def _told(rules: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(rules.items(), key=lambda item: (-item[1], item[0])))
