"""What a launcher believes of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from tests.boards import config_of

from landbridge.config import Config
from landbridge.errors import TrainError
from landbridge.train.launch import launch


@dataclass(frozen=True)
class Idle:
    """A job whose process ends well and has done nothing, as one does that was politely told to stop."""

    config: Config
    models: Path
    step: ClassVar[str] = "pretrain"
    worker: ClassVar[str] = "platform"

    @property
    def progress(self) -> Path:
        return self.models / "progress.jsonl"

    def write(self, file: Path) -> None:
        file.write_text("{}")


def test_a_process_that_ends_well_and_has_not_done_its_work_ends_the_job_with_a_sentence(tmp_path):
    job = Idle(config_of("train.launcher=process", "train.processes=1"), tmp_path)
    with pytest.raises(TrainError, match=r"1 of 1 training processes of pretrain ended before .* resume"):
        launch(job, tmp_path / "log", print)
    assert not list(tmp_path.glob("job-*.json"))
