"""The description of the job that tunes an encoder: one JSON file that every process reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from landbridge.config.schema import Config
from landbridge.config.text import Encode
from landbridge.encode.encoder import Source
from landbridge.train.job import config_tree, read_tree, write_tree


@dataclass(frozen=True)
class TuneJob:
    """What the processes are told.

    Attributes
    ----------
    models
        The night's folder, in which `pairs` lie and `model`, `losses` and `checkpoint` are made.
    fingerprint
        A checkpoint of another one is not taken up.
    source
        The encoder as it came.
    """

    step: str
    config: Config
    models: Path
    fingerprint: str
    source: Source
    parent: Mapping[str, Any] = field(default_factory=dict)
    worker: ClassVar[str] = "landbridge.adapt.worker"

    @property
    def progress(self) -> Path:
        """The file of JSON lines that the processes append to and the launcher follows."""
        return self.models / f"progress-{self.step}.jsonl"

    @property
    def encode(self) -> Encode:
        """How texts are encoded."""
        assert self.config.encode is not None
        return self.config.encode

    @property
    def pairs(self) -> Path:
        """The folder of the pairs."""
        return self.models / "encoder" / "pairs"

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self.models / "encoder" / "checkpoint"

    @property
    def work(self) -> Path:
        """Where the tuned model is made."""
        return self.models / "encoder" / "tuned"

    @property
    def losses(self) -> Path:
        """The file of the losses."""
        return self.models / f"losses-{self.step}.csv"

    def write(self, file: Path) -> None:
        """Write the job so that only this user can read it."""
        tree = {
            "step": self.step,
            "config": config_tree(self.config),
            "models": str(self.models.resolve()),
            "fingerprint": self.fingerprint,
            "source": asdict(self.source),
            "parent": dict(self.parent),
        }
        write_tree(tree, file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `write` wrote."""
        tree = read_tree(file)
        return cls(
            tree["step"],
            Config.model_validate(tree["config"]),
            Path(tree["models"]),
            tree["fingerprint"],
            Source(**tree["source"]),
            tree["parent"],
        )
