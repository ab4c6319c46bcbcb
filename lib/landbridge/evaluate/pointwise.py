"""The measures of a pointwise task: of labels and probabilities of N rows, from scikit-learn where it has them.

Notes
-----
GAUC is the mean of the AUC of single users' rows over users with rows of both kinds, each user counting once. KS is the
largest difference between the distributions of the scores of positives and negatives. PCOC is the mean probability over
the share of positives. ECE takes bins of equal width (Guo et al. 2017, eq. 3). Accuracy, precision, recall and F1 are
at a probability of one half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as library

from landbridge.evaluate.metrics import Auc, auc

NAMES = ("auc", "gauc", "pr_auc", "ks", "log_loss", "pcoc", "ece", "accuracy", "precision", "recall", "f1")
BINS = 10
_SMALL = 1e-7

Labels = NDArray[np.bool_]
Scores = NDArray[np.float32]


def auc_of(label_N: Labels, score_N: Scores, user_N: NDArray[np.intp], users: int) -> Auc:
    """Return AUC and the influence of each user on it; NaN without both kinds."""
    return auc(score_N[label_N], score_N[~label_N], user_N[label_N], user_N[~label_N], users)


def all_metrics(label_N: Labels, score_N: Scores, user_N: NDArray[np.intp]) -> dict[str, float]:
    """Return every measure by name; NaN where one is not defined."""
    found = dict.fromkeys(NAMES, float("nan"))
    if len(label_N) == 0:
        return found
    wide_N = score_N.astype(np.float64)
    found |= _by_threshold(label_N, wide_N) | _of_probabilities(label_N, wide_N)
    if label_N.any() and not label_N.all():
        found |= _of_order(label_N, wide_N, user_N)
    return found


def main_metrics(label_N: Labels, score_N: Scores) -> dict[str, float]:
    """Return AUC and log loss alone: of many slices of many rows the others would cost more than the fits."""
    if len(label_N) == 0:
        return {"auc": float("nan"), "log_loss": float("nan")}
    value = auc_of(label_N, score_N, np.zeros(len(label_N), np.intp), 1).value
    wide_N = np.clip(score_N.astype(np.float64), _SMALL, 1.0 - _SMALL)
    return {"auc": value, "log_loss": float(-np.where(label_N, np.log(wide_N), np.log1p(-wide_N)).mean())}


def _of_order(label_N: Labels, score_N: NDArray[np.float64], user_N: NDArray[np.intp]) -> dict[str, float]:
    false_T, true_T, _ = library.roc_curve(label_N, score_N)
    shares_U = user_auc(label_N, score_N, user_N)
    return {
        "auc": float(library.auc(false_T, true_T)),
        "gauc": float(np.nanmean(shares_U)) if np.isfinite(shares_U).any() else float("nan"),
        "pr_auc": float(library.average_precision_score(label_N, score_N)),
        "ks": float((true_T - false_T).max()),
    }


def _of_probabilities(label_N: Labels, score_N: NDArray[np.float64]) -> dict[str, float]:
    clipped_N = np.clip(score_N, _SMALL, 1.0 - _SMALL)
    share = float(label_N.mean())
    return {
        "log_loss": float(library.log_loss(label_N, clipped_N, labels=[False, True])),
        "pcoc": float(score_N.mean()) / share if share else float("nan"),
        "ece": calibration_error(label_N, score_N),
    }


def _by_threshold(label_N: Labels, score_N: NDArray[np.float64]) -> dict[str, float]:
    said_N = score_N >= 0.5
    precision, recall, f1, _ = library.precision_recall_fscore_support(
        label_N, said_N, average="binary", zero_division=0.0
    )
    accuracy = float(library.accuracy_score(label_N, said_N))
    return {"accuracy": accuracy, "precision": float(precision), "recall": float(recall), "f1": float(f1)}


def calibration_error(label_N: Labels, score_N: NDArray[np.float64], bins: int = BINS) -> float:
    """Return ECE: the mean over rows of the distance of their bin's mean probability from its share of positives."""
    bin_N = np.minimum((score_N * bins).astype(np.intp), bins - 1)
    return float(np.abs(np.bincount(bin_N, score_N - label_N, bins)).sum() / len(label_N))


def user_auc(label_N: Labels, score_N: NDArray[np.float64], user_N: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the AUC of each user's rows by the sum of ranks, ties at their mean rank; NaN without both kinds.

    Users are numbers from 0; the shape is [largest + 1].
    """
    order = np.lexsort((score_N, user_N))
    user, score, label = user_N[order], score_N[order], label_N[order]
    new_user = np.diff(user, prepend=-1) != 0
    new_tie = new_user | (np.diff(score, prepend=np.nan) != 0)
    first_N = np.flatnonzero(new_user)[np.cumsum(new_user) - 1]
    tie_N = np.cumsum(new_tie) - 1
    start_T = np.flatnonzero(new_tie)
    end_T = np.append(start_T[1:], len(user))
    rank_N = (start_T + end_T - 1)[tie_N] / 2.0 - first_N + 1.0
    users = int(user[-1]) + 1 if len(user) else 0
    positive_U = np.bincount(user[label], minlength=users)
    negative_U = np.bincount(user[~label], minlength=users)
    sum_U = np.bincount(user[label], rank_N[label], users)
    pairs_U = positive_U * negative_U
    wins_U = sum_U - positive_U * (positive_U + 1) / 2.0
    shares_U: NDArray[np.float64] = np.divide(wins_U, pairs_U, out=np.full(users, np.nan), where=pairs_U > 0)
    return shares_U


def slices(**known: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the slices of rows: for each property those with it and those without, as ``item known``."""
    for name, has_N in known.items():
        thing, _, quality = name.partition("_")
        yield f"{thing} {quality}", has_N
        yield f"{thing} not {quality}", ~has_N
