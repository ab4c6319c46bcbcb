"""The items' vectors of a night as files that every rank maps: nobody holds a copy of his own.

In a folder `vectors.npy` holds vector_IV in half precision, a row an item id, zeros where an item has no vector;
`vectors.json` the encoder's revision; `white-<hash>.npy` white_IW of a whitening, made when it is first asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.feed.arrays import digest_of
from landbridge.feed.vectors import revision_of
from landbridge.feed.vocabulary import Vocabulary
from landbridge.feed.whitening import Whitening
from landbridge.lake.lake import Lake

_ROWS = 1 << 16
"""Rows that are held at once."""


@dataclass(frozen=True)
class VectorFile:
    """Vectors of I item ids, of one revision of the encoder."""

    folder: Path
    revision: str
    vector_IV: NDArray[np.float16]

    @classmethod
    def write(
        cls, lake: Lake, vocabulary: Vocabulary, encoder: str, folder: Path, revision: str | None = None
    ) -> Self | None:
        """Write those of a revision in the place of the folder; without any, None and no folder.

        `encoder` is the model of texts, or a modality. Without a revision it is that of the texts that ran last.
        """
        revision, work = revision or revision_of(lake), folder.with_name(folder.name + ".tmp")
        for old in (folder, work):
            shutil.rmtree(old, ignore_errors=True)
        if revision is None or not lake.exists("item_vectors"):
            return None
        work.mkdir(parents=True)
        if not _gather(lake, vocabulary, encoder, revision, work / "vectors.npy"):
            shutil.rmtree(work)
            return None
        (work / "vectors.json").write_text(json.dumps({"revision": revision}) + "\n", encoding="utf-8")
        work.rename(folder)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """Map what `write` wrote; None where there is nothing."""
        if not folder.exists():
            return None
        revision = json.loads((folder / "vectors.json").read_text(encoding="utf-8"))["revision"]
        return cls(folder, revision, np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False))

    @property
    def width(self) -> int:
        """V, the numbers of a vector."""
        return int(self.vector_IV.shape[1])

    def of(self, items: NDArray[np.int32]) -> NDArray[np.float16]:
        """Return the vectors MV of those of the items that have one."""
        vector_NV = self.vector_IV[items]
        return vector_NV[vector_NV.any(axis=1)]

    def whitened(self, whitening: Whitening) -> NDArray[np.float16]:
        """Return white_IW, mapped so that writing into it would change no file."""
        name = digest_of("white", {"mean": whitening.mean_V, "turn": whitening.turn_VW})
        file = self.folder / f"white-{name}.npy"
        if not file.exists():
            self._whiten(whitening, file)
        white_IW: NDArray[np.float16] = np.load(file, mmap_mode="c", allow_pickle=False)
        return white_IW

    def _whiten(self, whitening: Whitening, file: Path) -> None:
        """Write under a temporary name and rename: two ranks that do so at once do no harm."""
        handle, temporary = tempfile.mkstemp(dir=self.folder, suffix=".npy")
        os.close(handle)
        out = _made(Path(temporary), (len(self.vector_IV), whitening.turn_VW.shape[1]))
        for start in range(0, len(out), _ROWS):
            out[start : start + _ROWS] = whitening(self.vector_IV[start : start + _ROWS])
        out.flush()
        Path(temporary).replace(file)


def _gather(lake: Lake, vocabulary: Vocabulary, encoder: str, revision: str, file: Path) -> bool:
    """Write the vectors of all items that have an id, batch by batch; return whether there are any."""
    wanted = (pc.field("encoder") == encoder) & (pc.field("revision") == revision)
    out: NDArray[np.float16] | None = None
    for batch in lake.scan("item_vectors", columns=["item_id", "vector"], where=wanted, batch_rows=_ROWS):
        item = vocabulary.encode("item_id", batch["item_id"])
        rows = np.flatnonzero(item > 0)
        if len(rows) == 0:
            continue
        flat = batch["vector"].flatten().to_numpy(zero_copy_only=False)
        vector_NV = flat.reshape(batch.num_rows, -1)[rows].astype(np.float16)
        if out is None:
            out = _made(file, (vocabulary.size("item_id"), vector_NV.shape[1]))
        out[item[rows]] = vector_NV
    return out is not None


def _made(file: Path, shape: tuple[int, int]) -> np.memmap[Any, np.dtype[np.float16]]:
    """Return a new file of zeros, mapped."""
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
