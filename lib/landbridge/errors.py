"""The error tree. A message says what happened, where (file, key, row), and what to do about it.

The command line turns each kind into an exit code: ConfigError is 2 (nothing has run), everything else is 1.
"""

from __future__ import annotations


class LandbridgeError(Exception):
    """Root of every error that Landbridge raises on purpose."""

    exit_code = 1


class ConfigError(LandbridgeError):
    """The configuration or the command line is wrong; nothing has run."""

    exit_code = 2


class DataError(LandbridgeError):
    """The logs are not what the configuration says: a missing day, a truncated file, another header."""


class LakeError(LandbridgeError):
    """A table cannot be read or written: disk full, read-only, contract broken, version gone."""


class LockedError(LandbridgeError):
    """Another nightly writes this lake."""


class EncoderError(LandbridgeError):
    """A pretrained model cannot be found or loaded; the night goes on without it."""


class TrainError(LandbridgeError):
    """A training process failed, stalled, or met a loss that is not finite."""


class TrackingError(LandbridgeError):
    """The MLflow server or its registry cannot be reached."""


class AuditError(LandbridgeError):
    """What was about to be published broke a rule; yesterday's table stands."""
