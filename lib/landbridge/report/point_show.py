"""One user of a pointwise task: what he was asked and answered, and what is scored tonight."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from landbridge.errors import DataError
from landbridge.feed.questions import SCORED
from landbridge.lake.lake import Lake
from landbridge.report.people import titles_of
from landbridge.report.plain import plain_table

_ROWS = 15
_COLUMNS = ["example_id", "ts", "item_id", "scenario", "label", "value"]


def show_points(lake: Lake, user: str, ds: dt.date) -> RenderableType:
    """Return a user's rows with their answers and his scored rows of the night of `ds`, highest first.

    What is scored that night shows no answer, whatever the file says.

    Raises
    ------
    DataError
        If no row up to that day is the user's.
    """
    rows = lake.read("examples", until=ds, columns=_COLUMNS, where=pc.field("user_id") == user).to_pylist()
    if not rows:
        raise DataError(
            f"the user {user!r} has no row up to {ds}; the users are in the table examples "
            f'(`landbridge sql "select user_id from examples limit 10"`)'
        )
    asked = _asked(lake, ds, [row["example_id"] for row in rows])
    past = sorted((row for row in rows if row["example_id"] not in asked), key=lambda row: row["ts"], reverse=True)
    tonight = [{**row, **asked[row["example_id"]]} for row in rows if row["example_id"] in asked]
    titles = titles_of(lake, ds, {row["item_id"] for row in rows})
    head = Text(user, style="bold").append(
        f" on {ds}: {len(past):,} rows with an answer, {len(tonight):,} scored", style="not bold"
    )
    parts: list[RenderableType] = [head]
    if past:
        parts.append(_past(past, titles))
    if tonight:
        parts.append(_tonight(sorted(tonight, key=lambda row: -(row["score"] or 0.0)), titles))
    return Group(*[Padding(part, (0, 0, 1, 0)) for part in parts])


def _asked(lake: Lake, ds: dt.date, examples: list[str]) -> dict[str, dict[str, Any]]:
    """Return subject, score, contender and model of those examples that are scored that night."""
    here = pc.field("ds") == pa.scalar(ds)
    wanted = here & (pc.field("role") == SCORED) & pc.field("example_id").isin(pa.array(examples, pa.string()))
    subjects = lake.read("subjects", where=wanted).to_pylist() if lake.exists("subjects") else []
    names = pa.array([row["subject_id"] for row in subjects], pa.string())
    scored = lake.read("scores", where=here & pc.field("subject_id").isin(names)).to_pylist() if subjects else []
    known = {(row["scenario"], row["subject_id"]): row for row in scored}
    blank = {"score": None, "contender": "", "model_name": "", "model_version": ""}
    return {
        row["example_id"]: {
            "subject_id": row["subject_id"],
            **blank,
            **known.get((row["scenario"], row["subject_id"]), {}),
        }
        for row in subjects
    }


def _past(rows: list[dict[str, Any]], titles: dict[str, str]) -> Table:
    """The rows with answers: the label, and the value where the task has one."""
    valued = any(row["value"] is not None for row in rows)
    table = plain_table("When", "Item", "Name", "Scenario", ">Label", *([">Value"] if valued else []))
    table.title = f"Answers, newest first ({min(_ROWS, len(rows))} of {len(rows)})"
    table.title_justify = "left"
    for row in rows[:_ROWS]:
        numbers = [row["label"], *([row["value"]] if valued else [])]
        told = ["–" if one is None else f"{one:g}" for one in numbers]
        table.add_row(
            f"{row['ts']:%Y-%m-%d %H:%M}", row["item_id"], titles.get(row["item_id"], ""), row["scenario"], *told
        )
    return table


def _tonight(rows: list[dict[str, Any]], titles: dict[str, str]) -> Table:
    table = plain_table("Subject", "Item", "Name", "Scenario", ">Score", "Contender", "Model")
    table.title = f"Scored, highest first ({min(_ROWS, len(rows))} of {len(rows)})"
    table.title_justify = "left"
    for row in rows[:_ROWS]:
        score = "–" if row["score"] is None else f"{row['score']:.4f}"
        model = f"{row['model_name']} {row['model_version']}".strip()
        names = (row["subject_id"], row["item_id"], titles.get(row["item_id"], ""), row["scenario"])
        table.add_row(*names, score, row["contender"], model)
    return table
