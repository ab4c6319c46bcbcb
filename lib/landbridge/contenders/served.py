"""The registered model: what MLflow loads in plain Python, from this file and the bundle. Nothing is pickled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from landbridge.contenders.scorer import HISTORY, Scorer


class Served(PythonModel):
    """Users of a scenario in, items and scores out, as in the table `recommendations`."""

    scorer: Scorer

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle."""
        self.scorer = Scorer.load(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return user_id, scenario, items, scores of every row, in order.

        Parameters
        ----------
        model_input
            Columns scenario, user_id, and what is known of the user as `user_state` has it: history (oldest first; of
            an event item_id is enough), had (default: the items of the history), and the user features. A user
            without a history is unknown and gets what the row ``__new__`` of the table says.
        params
            ``k``: items a list has.
        """
        k = int((params or {}).get("k") or self.scorer.k)
        items: list[list[str]] = [[] for _ in range(len(model_input))]
        scores: list[list[float]] = [[] for _ in range(len(model_input))]
        for scenario, places in model_input.groupby("scenario", sort=True).indices.items():
            rows = rows_of(model_input.iloc[places], str(scenario), self.scorer)
            for place, found in zip(
                places, self.scorer.recommend(rows, str(scenario), k)["items"].to_pylist(), strict=True
            ):
                items[place] = [one["item_id"] for one in found]
                scores[place] = [one["score"] for one in found]
        return pd.DataFrame(
            {
                "user_id": model_input["user_id"].to_list(),
                "scenario": model_input["scenario"].to_list(),
                "items": items,
                "scores": scores,
            }
        )


def rows_of(frame: pd.DataFrame, scenario: str, scorer: Scorer) -> pa.Table:
    """Return rows as `user_state` has them, of what a caller knows."""
    moment = scorer.moment(scenario)
    history = [_events(value, scenario, moment) for value in _column(frame, "history")]
    had = [_listed(value) for value in _column(frame, "had")]
    filled = [
        [event["item_id"] for event in events] if known is None else [str(item) for item in known]
        for events, known in zip(history, had, strict=True)
    ]
    columns = {
        "user_id": pa.array(frame["user_id"].astype(str).to_list(), pa.string()),
        "ts": pa.array([moment] * len(frame), pa.timestamp("us", "UTC")),
        "history": pa.array(history, HISTORY),
        "had": pa.array(filled, pa.list_(pa.string())),
    }
    features = {
        name: pa.array(pd.to_numeric(pd.Series(_column(frame, name)), errors="coerce"), pa.float64(), from_pandas=True)
        for name in scorer.routes["features"]
    }
    return pa.table({**columns, **features})


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    return frame[name].to_list() if name in frame else [None] * len(frame)


def _listed(value: Any) -> list[Any] | None:
    """Return a list, or None for what stands for nothing: None, NaN."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return list(value)
    return None


def _events(value: Any, scenario: str, moment: int) -> list[dict[str, Any]]:
    events: Iterable[Mapping[str, Any]] = _listed(value) or []
    return [
        {
            "item_id": str(event["item_id"]),
            "scenario": event.get("scenario") or scenario,
            "event_type": event.get("event_type"),
            "outcome": _number(event.get("outcome")),
            "ts": _microseconds(event.get("ts"), moment),
        }
        for event in events
    ]


def _number(value: Any) -> float:
    return 1.0 if value is None or pd.isna(value) else float(value)


def _microseconds(value: Any, moment: int) -> int:
    if value is None or pd.isna(value):
        return moment
    stamp = pd.Timestamp(value)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return int(stamp.value // 1000)


mlflow.models.set_model(Served())
