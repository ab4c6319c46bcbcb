"""Blend: a logarithmic pool of contenders (Genest and Zidek 1986, "Combining probability distributions").

The score of an item is sum_p weight_p * log(1 + score_p / floor_p): a product of powers of what the parts say. So a
part speaks for every user alike, whether he has three items or three hundred, and a negative weight divides: EASE times
what is bought now, over what was always bought, is what rises among things that go with what he has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.base import Contender, Fitted, View
from landbridge.contenders.held_out import choices, earlier
from landbridge.contenders.logit import fit_weights
from landbridge.contenders.parts import Fits, asked, fits_of, load_fits, save_fits, why_not
from landbridge.contenders.popularity import Popularity
from landbridge.feed.states import Catalogue, States

_ONE_USER = 1.0


@dataclass(frozen=True)
class Part:
    """One part of a blend: its weight, what its scores are compared with, and its fits by scenario id, 0 for all."""

    name: str
    weight: float
    floor: float
    fits: Fits

    def logs(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return log(1 + score / floor), shape BC, or 1C where the users do not matter; zero where nothing is known."""
        fitted = asked(self.fits, states)
        if fitted is None:
            return np.zeros((1, len(catalogue.items)), np.float32)
        scores = fitted.score(states, catalogue)
        # Popularity answers with one row seen B times (stride 0); its logarithm is taken once.
        scores = scores[:1] if scores.strides[0] == 0 else scores
        logs: NDArray[np.float32] = np.log1p(np.maximum(scores, 0.0) / np.float32(self.floor))
        return logs


@dataclass(frozen=True)
class BlendFitted(Fitted):
    """Fitted parts and their weights."""

    kind: ClassVar[str] = "blend"

    parts: tuple[Part, ...]

    def score(self, states: States, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return scores_BC; an item that no part knows scores zero."""
        scores_BC = np.zeros((len(states), len(catalogue.items)), np.float32)
        for part in self.parts:
            scores_BC += np.float32(part.weight) * part.logs(states, catalogue)
        return scores_BC

    def save(self, folder: Path) -> None:
        """Write blend.json and every fit of every part as a folder of its own."""
        tree = []
        for number, part in enumerate(self.parts):
            save_fits(part.fits, folder, number, part.name)
            tree.append({"name": part.name, "weight": part.weight, "floor": part.floor, "fits": sorted(part.fits)})
        (folder / "blend.json").write_text(json.dumps(tree, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        tree = json.loads((folder / "blend.json").read_text(encoding="utf-8"))
        return cls(
            tuple(
                Part(one["name"], one["weight"], one["floor"], load_fits(folder, number, one["fits"]))
                for number, one in enumerate(tree)
            )
        )


@dataclass(frozen=True)
class Blend(Contender):
    """Fits the parts and, where days are held out for it, their weights.

    Attributes
    ----------
    parts
        Contenders with their weights. If none of them crosses, the blend has learned alone.
    floor
        What is added to what neighbours score, so that a zero has a logarithm; to counts of users 1 is added.
    held_out_days
        The weights are fitted on what users took for the first time in the last days of the view, by parts fitted on
        the days before; the parts are then fitted on all days. 0 takes the weights as they are, in half the time.
    prior
        The weights given are a normal prior of the fitted ones, as strong as this many users.
    floors
        By the name of a part, another floor than `floor` or one user.
    """

    stem: str
    crosses: bool
    parts: tuple[tuple[Contender, float], ...]
    floor: float = 0.01
    held_out_days: int = 0
    prior: float = 10.0
    floors: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return f"{self.stem}_across" if self.crosses else self.stem

    @property
    def pooled(self) -> bool:  # type: ignore[override]
        """One fit serves all scenarios; what a part knows of a single scenario lies there once for each."""
        return self.crosses

    def left_out(self, view: View) -> str | None:
        """Say which part is left out, and why: a blend without it would be another one."""
        reason = why_not((contender for contender, _ in self.parts), view)
        return None if reason is None else f"{self.name} is left out for {view.scope}, because {reason}"

    def fit(self, view: View) -> BlendFitted:
        """Fit the weights, if that is wanted, and then the parts."""
        return self._weighted(view, self._fitted_weights(view) if self.held_out_days else self._given())

    def _given(self) -> NDArray[np.float64]:
        return np.array([weight for _, weight in self.parts])

    def _fitted_weights(self, view: View) -> NDArray[np.float64]:
        before = earlier(view, self.held_out_days)
        fitted = self._weighted(before, self._given())

        def logs(states: States, catalogue: Catalogue) -> list[NDArray[np.float32]]:
            return [part.logs(states, catalogue) for part in fitted.parts]

        return fit_weights(choices(view, before, logs), self._given(), self.prior)

    def _weighted(self, view: View, weights_P: NDArray[np.float64]) -> BlendFitted:
        return BlendFitted(
            tuple(
                Part(contender.name, float(weight), self._floor(contender), fits_of(contender, view))
                for (contender, _), weight in zip(self.parts, weights_P, strict=True)
            )
        )

    def _floor(self, contender: Contender) -> float:
        usual = _ONE_USER if isinstance(contender, Popularity) else self.floor
        return self.floors.get(contender.name, usual)
