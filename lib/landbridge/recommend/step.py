"""The step recommend: every user of the audience gets the list of his scenario's route; audited, then published."""

from __future__ import annotations

from landbridge.errors import AuditError
from landbridge.recommend.publish import TABLE, publish
from landbridge.step import Night, Outcome, Step
from landbridge.tracking import registry


def recommend(night: Night) -> Outcome:
    """Publish the night's own bundle, and make it champion.

    Raises
    ------
    AuditError
        If a rule of the table is broken; the last table and the alias champion stay as they are.
    """
    bundle = night.models / "bundle"
    version = registry.version_of(night, bundle)
    try:
        return publish(night, bundle, version, lambda: registry.promote(night, bundle))
    except AuditError as error:
        raise AuditError(
            f"{error}. Run evaluate and recommend again with --force; if it stays: "
            "`landbridge rollback` to an earlier version"
        ) from None


RECOMMEND = Step(
    "recommend",
    ("user_state",),
    (TABLE,),
    ("name", "recommend.k", "recommend.audience", "newcomers", "data.time_zone"),
    recommend,
)
