"""Where it runs: Spark, training processes, tracking server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from landbridge.config.node import Node


class Spark(Node):
    """The Spark session; under spark-submit what it was submitted with wins."""

    master: str | None = None
    driver_memory: str = "2g"
    conf: dict[str, str] = Field(default_factory=dict)


class Train(Node):
    """How training processes are started."""

    launcher: Literal["process", "horovod", "spark"] = "horovod"
    processes: int = Field(1, ge=1)
    hosts: str | None = Field(None, description="For horovod: host:slots,...; this machine when left out.")
    start_seconds: int = Field(120, ge=1)
    stall_seconds: int = Field(600, ge=5, description="A rank that makes no step for so long is killed.")


class Tracking(Node):
    """The MLflow server."""

    uri: str = "sqlite:///{root}/mlflow.db"
    required: bool = Field(
        True, description="False: a night whose server is down ends without tracking and registry, and says so."
    )
