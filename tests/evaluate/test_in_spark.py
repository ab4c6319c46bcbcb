"""The measures in Spark are those in memory."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from tests.boards import had_of

from landbridge.evaluate.in_spark import pointwise_metrics, ranking_metrics
from landbridge.evaluate.metrics import RANKING, ranking
from landbridge.evaluate.pointwise import NAMES, all_metrics


def answers(rows=3000, seed=0):
    """Scenarios of all kinds: fine scores, scores of five values, positives alone, one row."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice(["fine", "coarse", "sure"], rows)
    frame = pd.DataFrame({"scenario": kinds, "user_id": draw.integers(0, 90, rows)})
    frame["score"] = draw.random(rows)
    coarse = frame.scenario == "coarse"
    frame.loc[coarse, "score"] = np.round(frame.score[coarse] * 4) / 4
    frame["label"] = (draw.random(rows) < 0.2 + 0.6 * frame.score).astype(float)
    frame.loc[frame.scenario == "sure", "label"] = 1.0
    one = pd.DataFrame({"scenario": ["single"], "user_id": [1], "score": [0.3], "label": [0.0]})
    frame = pd.concat([frame, one], ignore_index=True)
    return frame.assign(user_id=frame.user_id.map("u{}".format), score=frame.score.astype(np.float32))


def in_memory(frame):
    label, score = frame.label.to_numpy() > 0, frame.score.to_numpy(np.float32)
    return all_metrics(label, score, frame.user_id.astype("category").cat.codes.to_numpy().astype(np.intp))


@pytest.mark.parametrize("by", [("scenario",), ()])
def test_every_measure_of_answers_is_that_in_memory(spark, by):
    frame = answers()
    found = pointwise_metrics(spark.createDataFrame(frame).repartition(3), by, ranges=7).toPandas()
    groups = dict(list(frame.groupby("scenario"))) if by else {"": frame}
    assert len(found) == len(groups)
    for _, row in found.iterrows():
        expected = in_memory(groups[row.scenario if by else ""])
        for name in NAMES:
            if math.isnan(expected[name]):
                assert pd.isna(row[name]), name
            else:
                assert row[name] == pytest.approx(expected[name], abs=1e-6), name


def test_every_measure_of_lists_is_that_in_memory(spark):
    draw, k = np.random.default_rng(0), 5
    order = np.stack([draw.permutation(30) + 1 for _ in range(40)]).astype(np.int32)
    taken = [list(draw.choice(30, draw.integers(1, 9), replace=False) + 1) for _ in range(40)]
    rows = [
        (f"u{user}", "here" if user % 2 else "there", "test", int(np.flatnonzero(order[user] == item)[0]))
        for user in range(40)
        for item in taken[user]
    ]
    frame = spark.createDataFrame(rows, "user_id string, scenario string, window string, rank int")
    found = ranking_metrics(frame, ("scenario",), k).toPandas().set_index("scenario")
    expected = ranking(order, had_of(taken, 31), k)
    for place, name in enumerate(("there", "here")):
        assert found.units[name] == 20
        for metric in RANKING:
            assert found[metric][name] == pytest.approx(expected[metric][place::2].mean(), abs=1e-6), metric
