"""Which source helps which target in ranking: the contender fitted on the target's rows and one source's.

What a user did elsewhere before he is judged stays in sight whatever the source; a contender that has not learned from
where he did it makes nothing of it, unless the items are the same there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from landbridge.config.schema import Config
from landbridge.contenders.base import Contender
from landbridge.evaluate.table import TARGETS
from landbridge.study.protocol import ALL, ALONE, EVERY, Entry, Measured, Protocol, Scored, Trial, check_crosses
from landbridge.study.rankings import Rankings, beside, every_row


@dataclass
class RankingSources(Protocol):
    """A study whose contenders are the sources: nothing (`alone`, the control), each scenario, everything (`all`)."""

    config: Config
    base: Rankings
    contender: Contender
    measure: str

    @classmethod
    def of(cls, base: Rankings, name: str) -> RankingSources:
        """Return the sources of a contender.

        Raises
        ------
        ConfigError
            There is no such contender, or it does not cross.
        """
        check_crosses([one.name for one in base.contenders.values() if one.crosses], name)
        return cls(base.config, base, base.contenders[name], base.measure)

    @property
    def parts(self) -> Sequence[str]:
        """Those of the task, without the shares of a learning curve."""
        shares = {f"{share:g}" for share in self.config.study.shares}
        return [part for part in self.base.parts if part not in shares]

    def entries(self) -> Sequence[Entry]:
        """The control, every scenario as a source, and all of them."""
        return [Entry(name, name != ALONE, seeded=False) for name in (ALONE, *self.base.scenarios, EVERY)]

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return the contender's own fingerprint; the source is the trial's name."""
        return self.base.fingerprint(Trial(self.contender.name, trial.seed, trial.part))

    def run(self, trial: Trial) -> Scored:
        """Fit for each target on its rows and the source's, and rank what was taken there."""
        source = None if trial.contender == ALONE else trial.contender
        return self.base.scored(self.contender, trial.part, every_row if source == EVERY else beside(source))

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return the measure by target; there is none of several, because a source's own rows are not judged."""
        found = self.base.measured(rows)
        return {name: one for name, one in found.items() if name != ALL and not name.startswith(TARGETS)}
