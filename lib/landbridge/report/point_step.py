"""The step report of a pointwise night: the same page, with scores in the place of lists."""

from __future__ import annotations

from landbridge.report import pictures
from landbridge.report.page import page
from landbridge.report.points import PointFacts, gather_points
from landbridge.report.step import write_page
from landbridge.step import Night, Outcome, Step

TEMPLATE = "points.html.j2"


def report(night: Night) -> Outcome:
    """Write ``reports/<ds>/report.html``; it appears complete or not at all."""
    return write_page(night, page_of(gather_points(night.lake, night.models, night.ds)))


def page_of(facts: PointFacts) -> str:
    """Return the HTML of a pointwise night."""
    published = {scenario: str(route["contender"]) for scenario, route in facts.routes.items()}
    return page(
        facts,
        [],
        TEMPLATE,
        histogram=pictures.histograms(facts.histogram, published),
        spread=facts.spread,
        lower=facts.guard_metric == "log_loss",
    )


REPORT = Step(
    "report",
    ("events", "quarantine", "metrics", "scores", "ledger"),
    (),
    ("name", "transfer.source", "guard", "scores", "data.rules"),
    report,
)
