"""How near scenarios are by what their catalogues tell: a scenario without a log has neighbours by it.

Of the features of a scenario (`scenario_rows`) a catalogue tells those of its items: means and spreads of their
numbers. Beside them stand the shares of its items that have each of a few tags, such as genres. No answer is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landbridge.feed.rows import Rows
from landbridge.feed.scenario_rows import ScenarioRows


@dataclass(frozen=True)
class Nearness:
    """Squared distances of scenarios by the ids of their coding; NaN where one has no catalogue."""

    distance_SS: NDArray[np.float64]

    @classmethod
    def fit(cls, catalogue: Rows, few_F: NDArray[np.int64]) -> Self:
        """Fit on a row an item and scenario; `few_F` are the columns of the tags that are compared.

        The distance is the mean over the blocks (numbers, tags) of the mean squared difference of their columns, each
        scaled to deviation 1 over the scenarios that have items.
        """
        size = catalogue.coding.size("scenario")
        count_S = np.bincount(catalogue.scenario_N, minlength=size)
        there_S = (count_S > 0) & (np.arange(size) > 0)
        blocks = [_scaled(_shares(catalogue, few_F, count_S), there_S)] if len(few_F) else []
        if catalogue.number_NF.shape[1]:
            blocks.append(ScenarioRows.fit(catalogue, ["items"]).feature_SF.astype(np.float64))
        apart_SS = np.mean([apart(block_SF) for block_SF in blocks], axis=0) if blocks else np.zeros((size, size))
        return cls(np.where(there_S[:, None] & there_S, apart_SS, np.nan))

    def weights(self, scenario: int, others: NDArray[np.intp], sharpness: float) -> NDArray[np.float64]:
        """Return the weights of others for a scenario, of sum 1: exp(-sharpness * distance / mean distance).

        Where nothing tells them apart, or the scenario has no catalogue, all weigh alike.
        """
        return weights_of(self.distance_SS[scenario, others], sharpness)


def weights_of(distance_O: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
    """Return weights of sum 1 that fall with the distance, relative to the mean distance."""
    middle = float(np.mean(distance_O)) if len(distance_O) else 0.0
    raw_O = np.exp(-sharpness * distance_O / middle) if middle > 0 else np.ones(len(distance_O))
    weight_O: NDArray[np.float64] = raw_O / raw_O.sum()
    return weight_O


def apart(feature_SF: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean squared difference of the features of every two scenarios, [S, S]."""
    apart_SS: NDArray[np.float64] = ((feature_SF[:, None] - feature_SF[None]) ** 2).mean(axis=2)
    return apart_SS


def _shares(catalogue: Rows, few_F: NDArray[np.int64], count_S: NDArray[np.int64]) -> NDArray[np.float64]:
    tag_NF = catalogue.tag_NT[:, few_F].tocoo()
    cell_E = catalogue.scenario_N[tag_NF.row].astype(np.int64) * len(few_F) + tag_NF.col
    sum_SF = np.bincount(cell_E, minlength=len(count_S) * len(few_F)).reshape(len(count_S), len(few_F))
    shares: NDArray[np.float64] = sum_SF / np.maximum(count_S, 1)[:, None]
    return shares


def _scaled(feature_SF: NDArray[np.float64], there_S: NDArray[np.bool_]) -> NDArray[np.float64]:
    known = feature_SF[there_S]
    if not len(known):
        return feature_SF
    scaled: NDArray[np.float64] = (feature_SF - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6)
    return scaled
