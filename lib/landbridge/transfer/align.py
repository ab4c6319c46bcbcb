"""Users of source and target are drawn together by a distance between them: MMD (Long et al. 2015, DAN, equation 4)
or CORAL (Sun and Saenko 2016, Deep CORAL, equation 6).

Both scenarios' labels are known here, and both losses stand beside the distance.
"""

from __future__ import annotations

from landbridge.config.crossing import Crossings
from landbridge.models.alike import Alike
from landbridge.models.likeness import Likeness
from landbridge.models.together import Together
from landbridge.transfer.fine_tune import FineTune


class Align(FineTune):
    """Fine-tuning with the source's examples beside the target's and a distance between the users of both."""

    name = "align"
    beside = True

    def likeness(self, given: Crossings, ranks: Together) -> Likeness:
        """Return the distance that is configured."""
        return Alike(given.align.by, given.align.weight, ranks)
