"""The source's ranker stays; prompts beside the fields of a row are tuned (PLATE, Wang et al. 2023).

Prompts begin fresh, and so do they learn: at the rate of the networks, not of the transfer.
"""

from __future__ import annotations

from landbridge.contenders.pointwise.crossing.freeze import Freeze


class Prompt(Freeze):
    """Prompts of the scenario (`models.rankers.prompts`), its vectors, and rows of ids that the source never met."""

    name = "prompt"
    continued = False
