"""What is left of a training job: the losses as one file and one picture, seconds, and what a person is told."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from landbridge.config.days import FITS
from landbridge.step import Outcome
from landbridge.train.job import Job
from landbridge.train.progress import Follower
from landbridge.train.units import Planned

HEADER = "network,contender,scope,fit,epoch,step,loss\n"
SMOOTHED = 10
"""Steps over which the picture's lines are averaged."""


def finished(job: Job, follower: Follower, planned: Planned, launcher: str, processes: int) -> Outcome:
    """Write losses and picture of all fits of the job, and return the step's outcome."""
    losses = write_losses(job)
    picture = plot(losses, job.models / f"losses-{job.step}.png", f"{job.step} {job.ds}")
    fits = follower.of("fit")
    networks = sorted((fit for fit in fits if fit["steps"]), key=lambda fit: (fit["unit"], fit["fit"]))
    closed = [fit["seconds"] for fit in fits if not fit["steps"]]
    notes: dict[str, Any] = {
        "launcher": launcher,
        "processes": processes,
        "examples": sum(fit["examples"] for fit in networks),
        "steps": sum(fit["steps"] for fit in networks),
        "seconds": {f"{fit['unit']} {fit['fit']}": fit["seconds"] for fit in networks},
        "fitted": len(fits),
        "closed_forms": {"fits": len(closed), "seconds": round(sum(closed), 3)},
        "skipped": sum(len(unit.done) for unit in job.units),
        "warm": dict(planned.why),
        "left_out": [*planned.left_out, *(event["text"] for event in follower.of("note"))],
    }
    return Outcome(notes, last_losses(losses), tuple(path for path in (losses, picture) if path.exists()))


def write_losses(job: Job) -> Path:
    """Gather the losses of every fit, in the order of the units, into ``losses-<step>.csv``."""
    file = job.models / f"losses-{job.step}.csv"
    parts = [job.losses_file(fit, unit) for unit in job.units if unit.network for fit in FITS]
    work = file.with_suffix(".tmp")
    work.write_text(
        HEADER + "".join(part.read_text(encoding="utf-8") for part in parts if part.exists()), encoding="utf-8"
    )
    work.replace(file)
    return file


def last_losses(file: Path) -> dict[str, float]:
    """Return the mean loss of the last epoch of every fit, by a name that MLflow takes."""
    kept: dict[tuple[str, ...], tuple[int, list[float]]] = {}
    for row in _rows(file):
        key = (row["network"], row["contender"], row["scope"], row["fit"])
        epoch, values = kept.get(key, (-1, []))
        if int(row["epoch"]) > epoch:
            values = []
        kept[key] = (int(row["epoch"]), [*values, float(row["loss"])])
    return {
        f"loss/{'/'.join(_plain(part) for part in key)}": sum(values) / len(values) for key, (_, values) in kept.items()
    }


def plot(losses: Path, file: Path, title: str) -> Path:
    """Draw one line a fit, one panel a network."""
    lines: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in _rows(losses):
        lines[row["network"]][f"{row['contender']} {row['scope']} {row['fit']}"].append(float(row["loss"]))
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (network, fits) in enumerate(sorted(lines.items(), reverse=True)):
        axes = figure.add_subplot(1, len(lines), number + 1)
        for name, values in fits.items():
            axes.plot(_smooth(values), label=name, linewidth=0.9)
        axes.set(title=f"{network}, {title}", xlabel="step", ylabel="loss")
        if len(fits) <= 8:
            axes.legend(fontsize=7)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return file


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _smooth(values: list[float]) -> list[float]:
    return [
        sum(values[max(0, at - SMOOTHED) : at + 1]) / len(values[max(0, at - SMOOTHED) : at + 1])
        for at in range(len(values))
    ]


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_- ." else "_" for letter in text)
