"""The step report: the page that a person reads in the morning."""

from __future__ import annotations

from landbridge.report.facts import gather
from landbridge.report.groups import flows_of
from landbridge.report.page import page
from landbridge.report.people import examples_of
from landbridge.step import Night, Outcome, Step

PAGE = "report.html"


def report(night: Night) -> Outcome:
    """Write ``reports/<ds>/report.html``; it appears complete or not at all."""
    facts = gather(night.lake, night.models, night.ds)
    facts.flows = flows_of(night.lake, night.ds)
    return write_page(night, page(facts, examples_of(night.lake, night.ds)))


def write_page(night: Night, text: str) -> Outcome:
    """Write the page of a night; it appears complete or not at all."""
    night.reports.mkdir(parents=True, exist_ok=True)
    working = night.reports / f".{PAGE}.tmp"
    working.write_text(text, encoding="utf-8")
    file = working.rename(night.reports / PAGE)
    night.say(f"the page is {file}")
    return Outcome(notes={"page": str(file), "bytes": len(text)}, artifacts=(file,))


REPORT = Step(
    "report",
    ("events", "quarantine", "items", "user_state", "metrics", "recommendations", "groups", "group_flow", "ledger"),
    (),
    ("name", "transfer.source", "transfer.strategies", "guard", "groups", "split.part", "recommend.k", "data.rules"),
    report,
)
