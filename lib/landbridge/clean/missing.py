"""Files that are not there: what stops a night, and what it goes on without."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from landbridge.clean.files import LogFile, expected_path
from landbridge.clean.loaded import Loaded
from landbridge.errors import DataError
from landbridge.step import Night


def missing_days(
    night: Night, files: Mapping[dt.date, Sequence[LogFile]], loaded: Loaded, expected: Sequence[dt.date]
) -> list[str]:
    """Stop where the file of ds is not there; warn of earlier ones. What was loaded stays when its file is gone."""
    absent = [day for day in expected if day not in files]
    lost = [day for day in absent if day not in loaded.digests]
    if night.ds in lost:
        or_closed = (
            ""
            if night.config.data.reader.is_snapshot
            else ", or declare the day in data.reader.closed if there is none"
        )
        raise DataError(
            f"there is no file of {night.ds}: {expected_path(night.config, night.ds)} was expected; "
            f"put it there and run the same command{or_closed}"
        )
    if not files and not loaded.digests:
        raise DataError(
            f"there is no file up to {night.ds}: {night.config.data.reader.path} matches nothing; "
            "correct data.reader.path or first_day"
        )
    if lost:
        night.say(
            f"warning: no file of {_shown(lost)}; the night goes on without; a file that comes later is loaded then"
        )
    gone = [day for day in absent if day in loaded.digests]
    if gone:
        night.say(f"warning: the file of {_shown(gone)} is gone; what was loaded from it stays")
    return [day.isoformat() for day in lost]


def say_unlisted(
    night: Night, files: Mapping[dt.date, Sequence[LogFile]], catalogues: Mapping[dt.date, Sequence[LogFile]]
) -> None:
    """Say that ds has no catalogue; earlier days said so in their nights."""
    catalogue = night.config.data.catalogue
    if catalogue is not None and night.ds in files and night.ds not in catalogues:
        expected = catalogue.path.replace("{ds}", night.ds.isoformat())
        night.say(f"there is no catalogue of {night.ds} ({expected}); its items are those that have events")


def _shown(days: Sequence[dt.date]) -> str:
    shown = ", ".join(day.isoformat() for day in days[:5])
    return shown if len(days) <= 5 else f"{shown} and {len(days) - 5} more days"
