"""Invented marks of animations in the files that conf/anime.yaml reads: two tastes, users hardly known outside TV."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

TYPES = {"TV": 40, "OVA": 16, "Special": 16, "Movie": 16, "ONA": 12, "Music": 12}
"""How many titles there are of each type."""
USERS = 260


def write_invented(folder: Path, seed: int = 0) -> Path:
    """Write ratings and titles under ``anime`` in the folder, which is what LANDBRIDGE_DATA is to name; return it.

    Every other title is for the one taste, the others for the other one; each user has a taste, marks 24 series and
    two titles of every other type, and one mark in ten says nothing.
    """
    draw = np.random.default_rng(seed)
    kinds = [kind for kind, count in TYPES.items() for _ in range(count)]
    titles = {kind: [number for number, one in enumerate(kinds) if one == kind] for kind in TYPES}
    lines = []
    for user in range(USERS):
        for kind, numbers in titles.items():
            for item in draw.choice(numbers, 24 if kind == "TV" else 2, replace=False):
                liked = (item % 2 == user % 2) ^ (draw.random() < 0.1)
                lines.append(f"{user}\t{item}\t{draw.integers(8, 11) if liked else draw.integers(4, 8)}")
    names = [f"{number}\tstory {number // 2}\tDrama, {kind}\t{kind}\t12\t7.0\t100" for number, kind in enumerate(kinds)]
    _write(folder / "anime" / "anime_ratings.dat.gz", ["User_ID\tAnime_ID\tFeedback", *lines])
    _write(folder / "anime" / "anime_info.dat.gz", ["anime_ids\tname\tgenre\ttype\tepisodes\trating\tmembers", *names])
    return folder


def _write(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
