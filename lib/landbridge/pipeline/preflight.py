"""What is looked at before anything is written: a place that can be written, with room in it, and the day's file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from landbridge.config.schema import Config
from landbridge.errors import LakeError
from landbridge.lake.lake import Lake

FREE_GB = 1.0
"""Below this much free space a night does not begin."""


def preflight(config: Config) -> None:
    """Refuse a night that could not end.

    Raises
    ------
    LakeError
        The place is read-only or full, or an object store does not answer.
    """
    if not config.is_local:
        Lake(config).exists("lease")
    folders = {config.folder} | ({Path(config.root)} if config.is_local else set())
    for folder in sorted(folders):
        _writable(folder)
        _roomy(folder)


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".preflight-") as file:
            file.write(b"landbridge")
            file.flush()
    except OSError as error:
        raise LakeError(
            f"{folder}: cannot be written ({error.strerror}): make it writable, "
            "or name another place with --set root=FOLDER"
        ) from None


def _roomy(folder: Path) -> None:
    free = shutil.disk_usage(folder).free / 2**30
    if free < FREE_GB:
        raise LakeError(
            f"{folder}: {free:.1f} GB are free and a night needs {FREE_GB:.0f} GB: free some, "
            "or name another place with --set root=FOLDER"
        )
