"""AUC over ranks is that of all rows: against scikit-learn, with threads and with real processes."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.train.together import together

from landbridge.contenders.pointwise.shared_auc import shared_auc
from landbridge.train.launch import environment, horovod_found
from landbridge.train.ranks import Alone

ROWS = 1000

TWO_PROCESSES = """
import sys
import numpy as np
from landbridge.contenders.pointwise.shared_auc import shared_auc
from landbridge.train.ranks import HorovodRanks
ranks = HorovodRanks()
rows = np.load(sys.argv[1])
mine = slice(0, 130) if ranks.rank == 0 else slice(130, None)
print("AUC", repr(shared_auc(rows[0, mine], rows[1, mine], ranks)), flush=True)
"""


def rows(ties, seed=0):
    """Scores, with or without ties, and labels that they say something about."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 12, ROWS) / 12 if ties else rng.standard_normal(ROWS)
    return score, rng.random(ROWS) < 1 / (1 + np.exp(-score))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_it_is_that_of_all_rows(ties, size):
    """However the rows lie: the first rank has few, the last has none where there are three."""
    score, label = rows(ties)
    cuts = [*[0, 37, ROWS, ROWS][:size], ROWS]

    def part(ranks):
        mine = slice(cuts[ranks.rank], cuts[ranks.rank + 1])
        return shared_auc(score[mine], label[mine], ranks)

    found = together(size, part)
    assert found == pytest.approx([roc_auc_score(label, score)] * size, abs=1e-12)


def test_a_mean_of_the_ranks_would_be_another_number():
    """The test above could fail: the mean of both halves' AUC is not the AUC."""
    score, label = rows(ties=False)
    score = score + np.where(np.arange(ROWS) < 300, 2.0, 0.0)
    halves = [roc_auc_score(label[part], score[part]) for part in (slice(0, 300), slice(300, None))]
    assert abs(np.mean(halves) - shared_auc(score, label, Alone())) > 0.01


def test_one_class_or_no_row_has_no_auc():
    assert np.isnan(shared_auc(np.ones(3), np.ones(3), Alone()))
    assert np.isnan(shared_auc(np.empty(0), np.empty(0), Alone()))


@pytest.mark.skipif(not horovod_found(), reason="Horovod is not installed")
def test_two_processes_say_what_one_says(tmp_path):
    score, label = rows(ties=True)
    np.save(tmp_path / "rows.npy", np.stack([score, label]))
    (tmp_path / "part.py").write_text(TWO_PROCESSES)
    command = [sys.executable, "-m", "landbridge.train.loopback", "-np", "2", "-H", "localhost:2", "--gloo"]
    done = subprocess.run(
        [*command, sys.executable, str(tmp_path / "part.py"), str(tmp_path / "rows.npy")],
        capture_output=True, text=True, timeout=300, check=False, env=environment(horovod=True),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines() if "AUC" in line]
    assert found == pytest.approx([roc_auc_score(label, score)] * 2, abs=1e-12)
