"""Smaller networks that learn from another contender what it makes of training rows (Hinton et al. 2015, section 2).

What a row is asked for is (1 - w) label + w teacher's probability. Cross entropy is linear in what is asked for, so
that is the paper's weighted sum of two cross entropies, at temperature 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from landbridge.config.rankers import Distill
from landbridge.config.schema import Config
from landbridge.contenders.pointwise import average, blend, logistic, network, pooled, trees
from landbridge.contenders.pointwise.base import PointContender, PointView
from landbridge.contenders.pointwise.network import PointNetwork, PointNetworkFitted
from landbridge.errors import ConfigError


@dataclass(frozen=True)
class Distilled(PointContender):
    """A network of all scenarios at once, and its teacher, which is fitted on the same rows before it."""

    student: PointNetwork
    teacher: PointContender
    given: Distill
    crosses = True
    pooled = True
    seeded = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """The published name."""
        return self.student.name

    @property
    def holds_out(self) -> bool:  # type: ignore[override]
        """As its teacher."""
        return self.teacher.holds_out

    @property
    def reads_text(self) -> bool:  # type: ignore[override]
        """As its teacher."""
        return self.teacher.reads_text

    @property
    def sections(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the two depend on."""
        return tuple(dict.fromkeys([*self.student.sections, *self.teacher.sections]))

    def left_out(self, view: PointView) -> str | None:
        """Return why not: as for the student, or the teacher."""
        return self.student.left_out(view) or self.teacher.left_out(view)

    def fit(self, view: PointView) -> PointNetworkFitted:
        """Fit the teacher, then the student."""
        teacher = self.teacher.fit(view)
        weight = np.float32(self.given.weight)
        target_N = (1 - weight) * view.rows.label_N + weight * teacher.probability(view.rows)
        return replace(self.student.fit_taught(view, target_N), stands_for=(self.teacher.name, teacher))


def contenders(config: Config) -> list[PointContender]:
    """Return the contenders of this module: those of every group that has a teacher.

    Raises
    ------
    ConfigError
        The teacher is none, or is fitted for each scenario by itself; or a name is taken.
    """
    assert config.pointwise is not None
    groups = [group for group in config.pointwise.contenders.networks if group.distill is not None]
    if not groups:
        return []
    modules = (logistic, trees, network, pooled, average, blend)
    known = {one.name: one for module in modules for one in module.contenders(config)}
    found: dict[str, PointContender] = {}
    for group in groups:
        assert group.distill is not None
        teacher = _teacher(group.distill.teacher, known)
        for kind in group.kinds:
            one = Distilled(PointNetwork(kind, "joint", group), teacher, group.distill)
            if one.name in known:
                raise ConfigError(
                    f"pointwise.contenders.networks: {one.name} is there already without a teacher; give the group "
                    "with distill a suffix"
                )
            found.setdefault(one.name, one)
    return list(found.values())


def _teacher(name: str, known: dict[str, PointContender]) -> PointContender:
    where, able = "pointwise.contenders.networks.distill.teacher", [one for one in known.values() if one.pooled]
    if name not in known or not known[name].pooled:
        what = "is fitted for each scenario by itself" if name in known else "is no contender"
        raise ConfigError(f"{where}: {name} {what}; teachers: {', '.join(one.name for one in able)}")
    return known[name]
