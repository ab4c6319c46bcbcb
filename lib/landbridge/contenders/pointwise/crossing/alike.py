"""Rows of source and target are made alike: by a discriminator that cannot tell them apart (DANN, Ganin et al. 2016,
equation 9), or by a distance, MMD (Long et al. 2015, DAN, equation 4) or CORAL (Sun and Saenko 2016, Deep CORAL,
equation 6).

Both scenarios' labels are known here, and both losses stand beside what makes the rows alike.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from landbridge.config.crossing import Crossings
from landbridge.contenders.pointwise.base import PointView
from landbridge.contenders.pointwise.beside import Beside
from landbridge.contenders.pointwise.crossing.fine_tune import FineTune
from landbridge.contenders.pointwise.fitting import Around, Fit, Fitting
from landbridge.contenders.pointwise.objective import Answers, Labels, Objective
from landbridge.contenders.pointwise.prepared import Prepared
from landbridge.models.adversary import Adversary
from landbridge.models.alike import Alike
from landbridge.models.likeness import Likeness
from landbridge.models.rankers import PointRanker
from landbridge.models.rankers.forms import change
from landbridge.models.together import Together


class _Alike(FineTune):
    """Fine-tuning with the source's rows beside the target's, and a likeness between both."""

    @abstractmethod
    def likeness(self, given: Crossings, ranks: Together) -> Likeness:
        """Return the loss between rows of both."""

    def around(self, fitting: Fitting, view: PointView, begun: Fit) -> Around:
        """Return what puts the source's rows beside the target's."""
        prepared = Prepared.of(
            view.rows.of_scenario(view.config.transfer.source), begun.known, begun.past, begun.as_scenario
        )

        def beside(target: Labels) -> Objective:
            answer_NK = Answers.of(prepared, list(fitting.settings.tasks)).answer_NK
            source = replace(target, train=prepared, answer_NK=answer_NK)
            return Beside(target, source, self.likeness(view.config.transfer, target.ranks))

        return beside


class Adversarial(_Alike):
    """Under a reversed gradient of a discriminator."""

    name = "adversarial"

    def start(self, fitting: Fitting, view: PointView, begun: Fit) -> PointRanker:
        """Return a copy of the source's ranker with a discriminator."""
        ranker = super().start(fitting, view, begun)
        change(ranker, {"name": self.name})
        return ranker

    def likeness(self, given: Crossings, ranks: Together) -> Likeness:
        """Return the discriminator's loss."""
        return Adversary(given.adversarial.weight, given.adversarial.steepness)


class Align(_Alike):
    """Drawn together by a distance."""

    name = "align"

    def likeness(self, given: Crossings, ranks: Together) -> Likeness:
        """Return the distance that is configured."""
        return Alike(given.align.by, given.align.weight, ranks)
