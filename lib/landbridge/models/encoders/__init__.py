"""Sequence encoders: what a user's events say together. One way a file, one interface, one conformance suite."""

from __future__ import annotations

from collections.abc import Callable

from landbridge.errors import ConfigError
from landbridge.models.encoders.attention import Attention
from landbridge.models.encoders.base import Encoder
from landbridge.models.encoders.convolutional import Convolutional
from landbridge.models.encoders.pooled import Pooled
from landbridge.models.encoders.recurrent import Recurrent

ENCODERS: dict[str, Callable[[int, int, int], Encoder]] = {
    "attention": Attention,
    "recurrent": Recurrent,
    "convolutional": Convolutional,
    "pooled": Pooled,
}
"""Every encoder by its configured name; made of a width, a number of layers and of heads."""


def encoder_of(name: str, dim: int, layers: int, heads: int) -> Encoder:
    """Return a fresh encoder of a name; `heads` is read by attention alone."""
    if name not in ENCODERS:
        raise ConfigError(f"there is no encoder {name}; encoders: {', '.join(ENCODERS)}")
    return ENCODERS[name](dim, layers, heads)


__all__ = ["ENCODERS", "Encoder", "encoder_of"]
