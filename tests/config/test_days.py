"""Which days a night learns from and judges on."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from landbridge.config import load
from landbridge.config.days import FITS, days_of, windows_of

CONFIG = load(Path(__file__).parents[2] / "conf" / "online_retail.yaml")
DS = dt.date(2011, 11, 30)


def test_the_days_of_a_night() -> None:
    days = days_of(CONFIG, DS)
    assert days.first == dt.date(2010, 12, 1)
    assert [days.until(fit) for fit in FITS] == [dt.date(2011, 9, 7), dt.date(2011, 11, 9), DS]


@given(st.dates(dt.date(2011, 3, 1), dt.date(2011, 12, 9)))
def test_no_window_is_judged_by_a_fit_that_knows_its_days(ds: dt.date) -> None:
    days = days_of(CONFIG, ds)
    windows = windows_of(CONFIG, ds)
    assert [window.split for window in windows] == ["validation"] * CONFIG.guard.windows + ["test"]
    assert all(days.until(window.fit) <= window.since for window in windows)
    assert all(before.until == after.since for before, after in pairwise(windows))
    assert windows[-1].until == ds


def test_a_short_look_begins_later() -> None:
    quick = CONFIG.model_copy(update={"days": 60})
    assert days_of(quick, DS).first == dt.date(2011, 10, 2)


def test_declared_parts_stand_in_place_of_days() -> None:
    parts = CONFIG.model_copy(update={"split": CONFIG.split.model_copy(update={"part": "'train'"})})
    assert {days_of(parts, DS).until(fit) for fit in FITS} == {DS}
    assert [(window.split, window.fit) for window in windows_of(parts, DS)] == [("validation", "A"), ("test", "B")]
