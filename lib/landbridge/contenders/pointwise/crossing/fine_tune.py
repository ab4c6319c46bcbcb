"""All weights continue from the source's on the target's rows, tables slower than what reads them (Howard and Ruder
2018, ULMFiT, section 3.2).
"""

from __future__ import annotations

from landbridge.contenders.pointwise.crossing.base import FromSource


class FineTune(FromSource):
    """The source's ranker, all of it learned on."""

    name = "fine_tune"
