"""What a night of a pointwise task does with its rows: which are learned from, which judged, which scored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landbridge.config.node import Node, Sql


class Scores(Node):
    """The table `scores`. Expressions are over the columns of `events`, and `part` and `label` of `examples`."""

    subject: Sql = Field(
        "user_id", description="What is scored: a loan, an offer, an enrolment; once in a scenario and night."
    )
    role: Sql | None = Field(
        None,
        description="'train', 'validation', 'test' or 'score'; what is scored counts as unlabelled, whatever the file "
        "says. Left out: the part where parts are declared, else the days of split; a row without a label is scored.",
    )
    contenders: list[str] | None = Field(
        None, min_length=1, description="Which compete in a night; those of pointwise.contenders when left out."
    )
    metric: Literal["auc", "log_loss"] = Field("auc", description="By which the rule of publishing decides.")
