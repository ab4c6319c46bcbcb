"""A tuning that is on its way, kept after every round: the adapters, the best ones, and the optimizer's state."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from landbridge.adapt.held import Found


@dataclass
class Progressed:
    """How far a tuning has come.

    Attributes
    ----------
    done
        Rounds that have ended.
    found
        What the held-out users said before the first round and after each.
    best
        The round whose adapters are kept, 0 where none was better than the encoder as it came.
    losses
        Round, step and loss.
    """

    found: list[Found]
    done: int = 0
    best: int = 0
    losses: list[tuple[int, int, float]] = field(default_factory=list)
    adapters: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Tensor] = field(default_factory=dict)


_TENSORS = ("adapters", "kept", "optimizer")


def write(progressed: Progressed, folder: Path, fingerprint: str) -> None:
    """Keep it, in the place of what was kept before."""
    work = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name in _TENSORS:
        save_file(getattr(progressed, name), work / f"{name}.safetensors")
    state = {
        "fingerprint": fingerprint,
        "found": [asdict(one) for one in progressed.found],
        **{name: getattr(progressed, name) for name in ("done", "best", "losses")},
    }
    (work / "state.json").write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


def read(folder: Path, fingerprint: str) -> Progressed | None:
    """Return what was kept under the same fingerprint, or None; what died while it was written is begun anew."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if state["fingerprint"] != fingerprint:
        return None
    found = [Found(**one) for one in state["found"]]
    losses = [(int(epoch), int(step), float(loss)) for epoch, step, loss in state["losses"]]
    adapters, kept, optimizer = (load_file(folder / f"{name}.safetensors") for name in _TENSORS)
    return Progressed(found, state["done"], state["best"], losses, adapters, kept, optimizer)
