"""Kinds of association as files that are written once and linked: many fits of a night read the same ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import scipy.sparse as sp

from landbridge.contenders.cells import map_cells, write_cells
from landbridge.feed.associated import Associated

_CELLS = "cells"


def write_kind(matrix: sp.csr_matrix, folder: Path) -> None:
    """Write a kind under a temporary name and rename: two processes that do so at once do no harm."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    write_cells(work, _CELLS, matrix)
    try:
        work.rename(folder)
    except OSError:
        shutil.rmtree(work)
        if not folder.exists():  # else the other one was first
            raise


def open_kind(folder: Path) -> sp.csr_matrix:
    """Map what `write_kind` wrote, csr float32 [V, V]: all processes of a machine share its pages."""
    return map_cells(folder, _CELLS)


def save_associated(associated: Associated, folder: Path) -> list[str]:
    """Write the kinds, each into a folder of its own, and return their names; what lies in files is linked."""
    for name, matrix in associated.kinds.items():
        place = associated.places.get(name)
        if place is None:
            write_kind(matrix, _folder(folder, name))
        else:
            shutil.copytree(place, _folder(folder, name), copy_function=linked)
    return list(associated.kinds)


def load_associated(folder: Path, names: list[str]) -> Associated:
    """Map what `save_associated` wrote."""
    places = {name: _folder(folder, name) for name in names}
    return Associated({name: open_kind(place) for name, place in places.items()}, places)


def linked(source: str, target: str) -> str:
    """Link a file that nobody will change, or copy it where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _folder(folder: Path, name: str) -> Path:
    return folder / f"kind-{name}"
