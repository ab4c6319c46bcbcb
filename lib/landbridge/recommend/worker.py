"""What a Python worker of Spark does before it scores: it finds the bundle, and keeps to one thread."""

from __future__ import annotations

import os
from pathlib import Path

from pyspark import SparkFiles


def folder_of(bundle: str) -> Path:
    """Return the folder of a bundle that `stage.within_reach` named.

    From then on the worker uses one thread, because the executor runs as many workers as it has cores.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import torch
    except ImportError:
        pass
    else:
        torch.set_num_threads(1)
    return Path(bundle.rpartition("#")[0] if Path(bundle).is_absolute() else SparkFiles.get(bundle))
