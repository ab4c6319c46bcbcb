"""What the step adapt keeps of a tuning: a folder with what it has seen, and the model where it is a better one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from landbridge.config.schema import Config
from landbridge.encode.encoder import Source
from landbridge.feed.tuned import Tuned, apart

FOLDER, RECORD, MODEL = "encoders", "tuned.json", "model"


@dataclass(frozen=True)
class Tuning:
    """A tuning that ended.

    Attributes
    ----------
    folder
        It holds the record, and the model in safetensors where the tuning was kept.
    tuned
        The encoder; its revision is empty where none was better than the encoder as it came.
    metrics
        What the held-out users said before and after.
    """

    folder: Path
    tuned: Tuned
    metrics: dict[str, float]

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / MODEL

    @property
    def source(self) -> Source:
        """The encoder as `encode` loads it."""
        return Source(str(self.model.resolve()), None, self.tuned.revision)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the record of a folder."""
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return cls(folder, Tuned.of(record["tuned"]), record["metrics"])

    @classmethod
    def keep(cls, folder: Path, work: Path, tuned: Tuned, metrics: dict[str, float]) -> Self:
        """Put what lies in a folder of work into its place, complete or not at all."""
        record = {"tuned": tuned.note, "metrics": metrics}
        (work / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.rename(folder)
        return cls(folder, tuned, metrics)


def folder_for(config: Config, base: str, until: dt.date) -> Path:
    """Return where a tuning of an encoder (its revision) on the events up to a day is kept."""
    return config.folder / FOLDER / f"{until}-{_key(config, base)}"


def newest(config: Config, base: str, until: dt.date) -> Tuning | None:
    """Return the newest tuning of this configuration that has seen nothing after a day."""
    found = (config.folder / FOLDER).glob(f"*-{_key(config, base)}/{RECORD}")
    known = [tuning for tuning in (Tuning.read(file.parent) for file in found) if tuning.tuned.until <= until]
    return max(known, key=lambda tuning: tuning.tuned.until, default=None)


def is_due(config: Config, last: Tuning | None, until: dt.date) -> bool:
    """Whether a new tuning on the events up to a day is wanted."""
    settings = config.encode.tune if config.encode else None
    if settings is None:
        return False
    return last is None or until - last.tuned.until >= dt.timedelta(days=settings.every_days)


def _key(config: Config, base: str) -> str:
    """Return a hash of what decides, beside the events, what comes out."""
    assert config.encode is not None
    settings: dict[str, Any] = config.encode.model_dump(mode="json", include={"tune", "text", "most_characters"})
    settings["tune"].pop("every_days")
    told = [base, settings, config.split.part, apart(config.study.cold_items)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
