"""Who is nearest to a user: of all scenarios, as far as was known that day, in the space of one encoder."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from tests.lakes import last_day, tiny_config, tiny_lake

from landbridge.errors import DataError
from landbridge.lake.arrow import arrow_schema
from landbridge.report.alike import alike, alike_table

DAYS = 5


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Users with vectors at angles of 0, 10, 20 ... degrees; some of another revision, and one of tomorrow."""
    config = tiny_config(tmp_path_factory.mktemp("alike"))
    lake = tiny_lake(tmp_path_factory.getbasetemp() / "alike", config, users=12, days=DAYS)
    ds = last_day(config, DAYS)
    rows = [row(f"u{number:03d}", 10 * number, ds - dt.timedelta(days=number % 2)) for number in range(8)]
    rows += [row(f"u{number:03d}", 0, ds - dt.timedelta(days=3), revision="old") for number in range(12)]
    rows += [row("u008", 1, ds + dt.timedelta(days=1)), row("twin", 10, ds)]
    schema = arrow_schema(lake.contract("user_vectors"))
    for part in (rows[::2], rows[1::2]):  # of two nights, so in two files
        lake.append("user_vectors", pa.Table.from_pylist(part, schema), "test")
    return lake, ds


def row(user, degrees, ds, revision="new"):
    turn = np.deg2rad(degrees)
    vector = [2 * float(np.cos(turn)), 2 * float(np.sin(turn))]  # of length two: it is the direction that counts
    return {"user_id": user, "encoder": "e", "revision": revision, "text_hash": "h", "vector": vector, "ds": ds}


def test_the_nearest_come_first_and_nobody_of_tomorrow_or_of_another_space(lake):
    found = alike(*at(lake, "u000"), 4)
    assert [user for user, _ in found] == ["twin", "u001", "u002", "u003"]
    np.testing.assert_allclose([cosine for _, cosine in found], np.cos(np.deg2rad([10, 10, 20, 30])), atol=1e-6)
    assert len(alike(*at(lake, "u000"), 100)) == 8


def test_a_person_reads_who_they_are(lake):
    console = Console(width=200, file=StringIO())
    console.print(alike_table(*at(lake, "u000"), 2))
    text = console.file.getvalue()
    assert "mean the same as those of u000" in text
    assert "0.985" in text
    assert any(name in text for name in ("United Kingdom", "Germany", "France"))
    assert "Thing i" in text


def test_a_user_without_a_vector_is_a_sentence(lake):
    with pytest.raises(DataError, match=r"the user 'nobody' has no vector on .*encode\.users"):
        alike(*at(lake, "nobody"), 4)


def at(lake, user):
    return lake[0], user, lake[1]
