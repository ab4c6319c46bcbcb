"""The registered model of a pointwise task: what MLflow loads in plain Python. Nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from landbridge.contenders.point_bundle import PointScorer


class ServedPoints(PythonModel):
    """Rows of a scenario in, probabilities out, as in the table `scores`."""

    scorer: PointScorer

    def load_context(self, context: PythonModelContext) -> None:
        """Open the bundle."""
        self.scorer = PointScorer.load(Path(context.artifacts["bundle"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return subject_id, scenario, score, contender of every row, in order.

        Parameters
        ----------
        model_input
            Columns scenario, and what `examples` holds of a row: user_id, item_id, the configured numbers, categories
            and tags; and ts, the moment of asking. A column that is left out is missing in every row; without ts all
            that is known is past. subject_id is handed through.
        """
        count = len(model_input)
        score_N, contenders = np.full(count, np.nan), [""] * count
        for scenario, places in model_input.groupby("scenario", sort=True).indices.items():
            rows = table_of(model_input.iloc[places], self.scorer)
            score_N[places] = self.scorer.probability(rows, str(scenario))
            for place in places:
                contenders[place] = self.scorer.contender(str(scenario))
        subjects = model_input["subject_id"] if "subject_id" in model_input else pd.Series([None] * count)
        return pd.DataFrame(
            {
                "subject_id": subjects.to_list(),
                "scenario": model_input["scenario"].to_list(),
                "score": score_N,
                "contender": contenders,
            }
        )


def table_of(frame: pd.DataFrame, scorer: PointScorer) -> pa.Table:
    """Return rows as `examples` has them, of what a caller knows; NaN and None stand for what is missing."""
    columns: dict[str, pa.Array] = {}
    for name in ("user_id", "item_id", *scorer.routes["categories"]):
        if name in frame:
            texts = [None if pd.isna(value) else str(value) for value in frame[name]]
            columns[name] = pa.array(texts, pa.string())
    for name in scorer.routes["numbers"]:
        if name in frame:
            numbers = pd.to_numeric(frame[name], errors="coerce")
            columns[name] = pa.array(numbers, pa.float64(), from_pandas=True)
    if "ts" in frame:
        columns["ts"] = pa.array(pd.to_datetime(frame["ts"], utc=True), pa.timestamp("us", "UTC"), from_pandas=True)
    if scorer.routes["tags"] and "tags" in frame:
        lists = [list(value) if isinstance(value, (list, tuple, np.ndarray)) else None for value in frame["tags"]]
        columns["tags"] = pa.array(lists, pa.list_(pa.string()))
    # A row has at least its scenario: a table without columns has no rows.
    return pa.table({"scenario": pa.array(frame["scenario"].astype(str).to_list(), pa.string()), **columns})


mlflow.models.set_model(ServedPoints())
