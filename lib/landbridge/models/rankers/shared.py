"""Shared: one network for all scenarios, with the scenario as a feature. The control joint of `method.md`."""

from __future__ import annotations

from typing import ClassVar

from landbridge.models.rankers.single import Single


class Shared(Single):
    """`Single` (Cheng et al. 2016, section 3) that is told the scenario: all that differs is an embedding."""

    kind: ClassVar[str] = "shared"
    with_scenario: ClassVar[bool] = True
