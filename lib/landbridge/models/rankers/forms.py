"""Forms of rankers: what strategies make of plain ones, in place, so that a saved one is made again as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landbridge.models.adversary import Discriminator
from landbridge.models.initial import initialise
from landbridge.models.low_rank import adapt
from landbridge.models.rankers.base import Form, PointRanker
from landbridge.models.rankers.beside import put_beside
from landbridge.models.rankers.bridge import bridge
from landbridge.models.rankers.frozen import hold_body
from landbridge.models.rankers.graph import connect
from landbridge.models.rankers.prompts import prompt
from landbridge.models.rankers.sizes import RankerSizes


def change(ranker: PointRanker, form: Form) -> None:
    """Give a plain ranker a form, in place; what the form holds of the source is yet to be loaded."""
    told = {key: value for key, value in form.items() if key != "name"}
    FORMS[form["name"]](ranker, **told)
    ranker.form = form


def _low_rank(ranker: PointRanker) -> None:
    adapt(ranker, 0)


def _judged(ranker: PointRanker) -> None:
    discriminator = Discriminator(ranker.inputs.width)
    initialise(discriminator, 0)
    ranker.add_module("discriminator", discriminator)


def _beside(gate: str) -> Callable[..., None]:
    def make(ranker: PointRanker, source: dict[str, Any]) -> None:
        put_beside(ranker, type(ranker)(RankerSizes.from_json(source)), gate)

    return make


FORMS: dict[str, Callable[..., object]] = {
    "freeze": hold_body,
    "prompt": prompt,
    "low_rank": _low_rank,
    "adversarial": _judged,
    "side": _beside("side"),
    "fusion": _beside("fusion"),
    "bridge": bridge,
    "graph": connect,
}
"""By the name of the strategy, what makes the form; beside the ranker it takes what the form says of itself."""
