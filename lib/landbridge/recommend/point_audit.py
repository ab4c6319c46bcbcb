"""What must hold of the table `scores` before anybody sees it."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from landbridge.errors import AuditError

KEY = ("scenario", "subject_id")


def audit_scores(made: DataFrame, asked: DataFrame, ds: dt.date) -> dict[str, int]:
    """Return how many subjects were scored, by scenario.

    Parameters
    ----------
    made
        scenario, subject_id, score: what is about to be published.
    asked
        scenario, subject_id of every row that is to be scored.

    Raises
    ------
    AuditError
        Naming each rule that is broken, the scenario, and how many subjects break it. Nothing has been published.
    """
    copies = made.groupBy(*KEY).agg(F.count("*").alias("copies"), F.first("score").alias("score"))
    wanted = asked.groupBy(*KEY).agg(F.count("*").alias("asked"))
    counts = (
        copies.join(wanted, list(KEY), "full")
        .groupBy("scenario")
        .agg(
            F.count("asked").alias("subjects"),
            *[F.count_if(F.coalesce(rule, F.lit(False))).alias(name) for name, rule in _rules().items()],
        )
    )
    found = [row.asDict() for row in counts.orderBy("scenario").collect()]  # one row a scenario
    broken = [
        f"{row['scenario']}: {row[name]} subject(s) {_SAID[name]}" for row in found for name in _rules() if row[name]
    ]
    if not found:
        broken = ["there is no subject at all"]
    if broken:
        raise AuditError(f"scores of {ds} are not published and the last ones stand, because " + "; ".join(broken[:12]))
    return {row["scenario"]: int(row["subjects"]) for row in found}


def _rules() -> dict[str, Column]:
    """Each is true where a subject breaks it."""
    score, copies = F.col("score"), F.col("copies")
    there = copies.isNotNull()
    return {
        "repeated": F.col("asked") > 1,
        "missing": copies.isNull(),
        "uninvited": F.col("asked").isNull(),
        "twice": (copies > 1) & (F.coalesce(F.col("asked"), F.lit(1)) == 1),
        "no_number": there & (score.isNull() | F.isnan(score)),
        "out_of_bounds": there & ~F.isnan(score) & ((score < 0) | (score > 1)),
    }


_SAID = {
    "repeated": "are asked about in several rows: scores.subject must tell them apart",
    "missing": "have no score",
    "uninvited": "have a score and are not to be scored",
    "twice": "have more than one score",
    "no_number": "have a score that is no number",
    "out_of_bounds": "have a score below 0 or above 1",
}
