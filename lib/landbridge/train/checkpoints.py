"""A fit that is on its way, kept after every epoch: weights, the optimizer's state and the losses, so that a
resumed fit is the same fit.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from landbridge.models.networks import NAMES, Networks
from landbridge.train.loop import MEAN, Loop, Loss, Place

STATE = ("exp_avg", "exp_avg_sq", "step", MEAN)


class Checkpoints:
    """The checkpoint of one fit in one folder; `write` replaces it in one rename."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint

    def write(self, networks: Networks, loop: Loop, losses: list[Loss], epoch: int) -> None:
        """Keep what is needed to go on after `epoch` of the loop's network."""
        work = self.folder.with_name(self.folder.name + ".tmp")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        networks.save(work)
        save_file(optimizer_state(loop), work / "optimizer.safetensors")
        rows = [[loss.place.network, loss.epoch, loss.step, loss.loss] for loss in [*losses, *loop.losses]]
        meta = {"fingerprint": self.fingerprint, "network": loop.place.network, "epoch": epoch, "losses": rows}
        (work / "state.json").write_text(json.dumps(meta), encoding="utf-8")
        old = self.folder.with_name(self.folder.name + ".old")
        if self.folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            self.folder.rename(old)
        work.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def read(self) -> dict[str, Any] | None:
        """Return what was kept under the same fingerprint, or None: networks, network, epoch, losses, optimizer."""
        for folder in (self.folder, self.folder.with_name(self.folder.name + ".old")):
            try:
                meta: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if meta["fingerprint"] == self.fingerprint and meta["network"] in NAMES:
                return {
                    **meta,
                    "networks": Networks.load(folder),
                    "optimizer": load_file(folder / "optimizer.safetensors"),
                }
        return None

    def clear(self) -> None:
        """Remove the checkpoint: the fit is saved."""
        for suffix in ("", ".old", ".tmp"):
            shutil.rmtree(self.folder.with_name(self.folder.name + suffix), ignore_errors=True)


def losses_of(rows: list[list[Any]], contender: str, scope: str, fit: str) -> list[Loss]:
    """Return the losses that a checkpoint kept."""
    return [Loss(Place(network, contender, scope, fit), epoch, step, loss) for network, epoch, step, loss in rows]


def optimizer_state(loop: Loop) -> dict[str, Tensor]:
    """Return Adam's state by the parameter's number."""
    return {
        f"{number}.{name}": loop.optimizer.state[value][name].detach().clone().contiguous()
        for number, value in enumerate(loop.parameters)
        if value in loop.optimizer.state
        for name in STATE
        if name in loop.optimizer.state[value]
    }


def set_optimizer_state(loop: Loop, state: dict[str, Tensor]) -> None:
    """Put back what `optimizer_state` gave."""
    for key, value in state.items():
        number, name = key.split(".")
        loop.optimizer.state[loop.parameters[int(number)]][name] = torch.clone(value)
