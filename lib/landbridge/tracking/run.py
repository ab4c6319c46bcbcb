"""Runs in MLflow: one parent run per (configuration, ds), found again and not duplicated; a child run per step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from landbridge.config.schema import Config
from landbridge.errors import TrackingError
from landbridge.step import Outcome
from landbridge.tracking.server import asked, client_of, experiment_of

CONFIGURATION, DS, STEP = "landbridge.configuration", "landbridge.ds", "landbridge.step"
KIND = "landbridge.kind"
_PARENT = "mlflow.parentRunId"
_MOST = 500
_BUFFER = 400
Point = tuple[str, float, int]


@dataclass
class Tracker:
    """Tells MLflow what a night does.

    A server that dies in the middle is spoken of and stops nothing. Where tracking is not required the first failure,
    at the beginning too, ends tracking for the night: `run_id` is empty then.
    """

    config: Config
    say: Callable[[str], None]
    client: MlflowClient | None = None
    experiment: str = ""
    run_id: str = ""
    off: bool = False
    children: dict[str, Run] = field(default_factory=dict)
    waiting: dict[str, list[Point]] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        config: Config,
        ds: dt.date,
        say: Callable[[str], None],
        tags: Mapping[str, str] | None = None,
        kind: str = "",
    ) -> Tracker:
        """Return the tracker of a night, with its parent run open; `kind` names what is no night, such as a study.

        Raises
        ------
        TrackingError
            If the server cannot be used and the configuration requires it.
        """
        tracker = cls(config, say)
        tracker._try(lambda: tracker._begin_night(ds, dict(tags or {}), kind))
        return tracker

    def begin(self, step: str) -> None:
        """Open the child run of a step: a new one, or the one it had, when the step is run anew."""
        self._try(lambda: self._begin(step))

    def metrics(self, step: str, points: Iterable[Point]) -> None:
        """Buffer (name, value, number of the step) of a child run; they go out in batches."""
        buffer = self.waiting.setdefault(step, [])
        buffer.extend(points)
        if len(buffer) >= _BUFFER:
            self._try(lambda: self._flush(step))

    def end(
        self,
        step: str,
        outcome: Outcome | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        seconds: float | None = None,
        peak_memory_mb: float | None = None,
        failed: bool = False,
    ) -> None:
        """Close the child run of a step with what it did: its metrics, parameters, tags and files."""
        facts = {"seconds": seconds, "peak_memory_mb": peak_memory_mb}
        measured = [*facts.items(), *(outcome.metrics.items() if outcome else ())]
        self.metrics(step, [(name, float(value), 0) for name, value in measured if value is not None])
        self._try(lambda: self._end(step, outcome, dict(params or {}), dict(tags or {}), failed))

    def keep(self, files: Iterable[Path]) -> None:
        """Keep files with the parent run."""
        for file in files:
            self._try(lambda file=file: self._log_artifact(self.run_id, file))  # type: ignore[misc]

    def close(self, failed: bool = False) -> None:
        """Close the parent run."""
        self._try(lambda: self._terminate(self.run_id, failed))

    def _begin_night(self, ds: dt.date, tags: dict[str, str], kind: str) -> None:
        self.client = client_of(self.config)
        self.experiment = asked(self.config, lambda: experiment_of(self._server(), self.config))
        # A night has no tag of a kind, so that those who look for nights by their tags find no studies.
        name = {KIND if kind else CONFIGURATION: f"{kind} {self.config.name}".strip(), DS: ds.isoformat()}
        run = self._found(name) or self._server().create_run(
            self.experiment, tags={**name, **tags}, run_name=f"{kind} {self.config.name} {ds}".strip()
        )
        self.run_id = run.info.run_id
        self._server().log_batch(self.run_id, tags=[RunTag(key, str(value)) for key, value in tags.items()])
        self._server().update_run(self.run_id, status="RUNNING")

    def _begin(self, step: str) -> None:
        tags = {_PARENT: self.run_id, STEP: step}
        run = self._found(tags) or self._server().create_run(self.experiment, tags=tags, run_name=step)
        self._server().update_run(run.info.run_id, status="RUNNING")
        self.children[step] = run
        self.waiting[step] = []

    def _flush(self, step: str) -> None:
        points = self.waiting.pop(step, [])
        if step not in self.children:
            return
        run = self.children[step].info
        # The moment of a point is the run's beginning: what tells points apart is their step.
        measured = [Metric(_allowed(name), value, run.start_time, number) for name, value, number in points]
        for start in range(0, len(measured), _MOST):
            self._server().log_batch(run.run_id, metrics=measured[start : start + _MOST])

    def _end(
        self, step: str, outcome: Outcome | None, params: dict[str, Any], tags: dict[str, Any], failed: bool
    ) -> None:
        if step not in self.children:
            self._begin(step)
        self._flush(step)
        child = self.children.pop(step)
        # A parameter cannot be changed in MLflow: of a step run anew the newest stand as tags.
        known = child.data.params
        fresh = [Param(key, str(value)[:6000]) for key, value in params.items() if key not in known]
        changed = {f"param.{key}": value for key, value in params.items() if known.get(key, str(value)) != str(value)}
        labels = [RunTag(key, str(value)[:5000]) for key, value in {**tags, **changed}.items()]
        for start in range(0, max(len(fresh), len(labels)), 100):
            self._server().log_batch(
                child.info.run_id, params=fresh[start : start + 100], tags=labels[start : start + 100]
            )
        for path in outcome.artifacts if outcome else ():
            self._log_artifact(child.info.run_id, path)
        self._terminate(child.info.run_id, failed)

    def _log_artifact(self, run_id: str, path: Path) -> None:
        if path.is_dir():
            self._server().log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            self._server().log_artifact(run_id, str(path))

    def _terminate(self, run_id: str, failed: bool) -> None:
        self._server().set_terminated(run_id, status="FAILED" if failed else "FINISHED")

    def _found(self, tags: Mapping[str, str]) -> Run | None:
        """Return the newest run with these tags, or None."""
        condition = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        runs = self._server().search_runs(
            [self.experiment], condition, max_results=1, order_by=["attributes.start_time DESC"]
        )
        return runs[0] if runs else None

    def _server(self) -> MlflowClient:
        if self.client is None:
            raise TrackingError("there is no MLflow client")
        return self.client

    def _try(self, action: Callable[[], None]) -> None:
        """Do it. Where tracking is required no night begins without it; once begun, no dead server stops it."""
        opening = not self.run_id and not self.off
        if self.off:
            return
        try:
            asked(self.config, action)
        except TrackingError as error:
            if opening and self.config.tracking.required:
                raise
            self.off = not self.config.tracking.required
            self.say(
                f"The night goes on without tracking: {error}"
                if self.off
                else f"MLflow missed something, the night goes on: {error}"
            )
            self.run_id = "" if self.off else self.run_id


def _allowed(name: str) -> str:
    """Return a metric's name as MLflow takes it: ndcg@10 is ndcg_10."""
    return "".join(letter if letter.isalnum() or letter in "_-. :/" else "_" for letter in name)
