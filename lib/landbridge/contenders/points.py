"""Fitted contenders of pointwise tasks in a night's folders: the same layout as for lists, beside the ids of each fit.

fits/<fit>/coding.json                          the ids of the rows that the fit learned from
fits/<fit>/<scope>/<contender>/meta.json, ...   complete if it exists
"""

from __future__ import annotations

from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender
from landbridge.contenders.pointwise.simple import all_pointwise, known_pointwise
from landbridge.errors import ConfigError

CODING = "coding.json"


def competing(config: Config) -> list[PointContender]:
    """Return the contenders of a night, in the order of the tables.

    Raises
    ------
    ConfigError
        ``scores.contenders`` names one that there is not.
    """
    wanted = config.scores.contenders
    if wanted is None:
        return all_pointwise(config)
    known = known_pointwise(config)
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise ConfigError(
            f"scores.contenders: there is no contender {', '.join(missing)}; contenders: {', '.join(known)}"
        )
    return [one for name, one in known.items() if name in wanted]
