"""Saved contenders: a folder with ``meta.json`` and the parameters, complete if it exists; and the one top-k of all."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from landbridge.contenders.base import ALL, Fitted
from landbridge.errors import LakeError
from landbridge.feed.states import Catalogue, States

# Where the class of each kind lives; imported when a folder of that kind is read, so that neighbours need no torch.
_KINDS = {
    "popularity": ("landbridge.contenders.popularity", "PopularityFitted"),
    "weights": ("landbridge.contenders.weights", "WeightsFitted"),
    "blend": ("landbridge.contenders.blend", "BlendFitted"),
    "transitions": ("landbridge.contenders.transitions", "TransitionsFitted"),
    "als": ("landbridge.contenders.als", "AlsFitted"),
    "content": ("landbridge.contenders.content", "ContentFitted"),
    "text": ("landbridge.contenders.text", "TextFitted"),
    "text_transitions": ("landbridge.contenders.text_transitions", "TextTransitionsFitted"),
    "walk": ("landbridge.contenders.walk", "WalkFitted"),
    "stack": ("landbridge.contenders.stack", "StackFitted"),
    "reserve": ("landbridge.contenders.reserve", "ReserveFitted"),
    "associations": ("landbridge.contenders.associations", "AssociationsFitted"),
    "network": ("landbridge.contenders.network", "NetworkFitted"),
}
_BLOCK = 256
"""Users that are scored at once: their scores stay in the processor's cache."""
_GROUPS, _MOST_ROUNDS, _CROWD = 4, 32, 4
"""Groups of columns for each of the k, columns of a group, and how many times k may reach the bound (see `best`)."""
_FIRST = np.float32(np.finfo(np.float32).max)
"""Puts a candidate that is chosen before all others."""


class Saved(Protocol):
    """Whatever is fitted: it names its kind, and writes itself without pickle."""

    kind: ClassVar[str]

    def save(self, folder: Path) -> None:
        """Write the parameters into an existing empty folder."""


Ranked = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Item ids and scores, both [B, k]."""


def scope_folder(scope: str) -> str:
    """Return the folder name of a scope."""
    return "_all" if scope == ALL else quote(scope, safe="")


def scope_of(folder: str) -> str:
    """Return the scope of a folder name."""
    return ALL if folder == "_all" else unquote(folder)


def fit_folder(models: Path, fit: str, scope: str, contender: str) -> Path:
    """Return where a night keeps a contender's fit of a scope."""
    return models / "fits" / fit / scope_folder(scope) / contender


def is_of(folder: Path, fingerprint: str) -> bool:
    """Whether a complete fit lies in a folder, made under this fingerprint."""
    try:
        return bool(read_meta(folder)["fingerprint"] == fingerprint)
    except (LakeError, KeyError):
        return False


def find_fitted(models: Path, fit: str, scenario: str) -> dict[str, Path]:
    """Return the folders that serve a scenario in a fit, by contender, ascending; a pooled one is under ``_all``.

    What begins with an underscore is what others begin from, and serves nobody.
    """
    found: dict[str, Path] = {}
    for scope in (ALL, scenario):
        folder = models / "fits" / fit / scope_folder(scope)
        complete = [path.parent for path in folder.glob("[!_]*/meta.json") if not path.parent.name.endswith(".tmp")]
        found |= {path.name: path for path in complete}
    return dict(sorted(found.items()))


def save_fitted(fitted: Saved, folder: Path, meta: Mapping[str, Any]) -> None:
    """Write a fitted contender, replacing the folder; it appears complete or not at all."""
    working = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    fitted.save(working)
    text = json.dumps({**meta, "kind": fitted.kind}, indent=1, sort_keys=True, default=str)
    (working / "meta.json").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    working.rename(folder)


def read_meta(folder: Path) -> dict[str, Any]:
    """Return what `save_fitted` was told about the contender."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LakeError(f"{folder}: is not a saved contender ({error}); run the step that fits it again") from None
    return dict(meta)


def load_fitted(folder: Path) -> Fitted:
    """Read a saved contender; nothing is unpickled."""
    kind = read_meta(folder).get("kind")
    if kind not in _KINDS:
        raise LakeError(f"{folder}: holds a contender of the unknown kind {kind!r}; known: {', '.join(_KINDS)}")
    module, name = _KINDS[kind]
    found: type[Fitted] = getattr(importlib.import_module(module), name)
    return found.load(folder)


def top_k(fitted: Fitted, states: States, catalogue: Catalogue, k: int, pool: int) -> Ranked:
    """Return the best k items of the catalogue that the user has not had.

    Ids are int32 [B, k], 0 where there are no more, and scores float32 [B, k].
    A contender with a second stage re-scores the `pool` best of its first and only those, or the candidates that it
    chooses itself (`Fitted.beside`). Ties go to the lower id.
    """
    parts = [
        select(fitted, block, catalogue, fitted.score(block, catalogue), k, pool)
        for block in (states.take(rows) for rows in blocks(states.had.shape[0]))
    ]
    if not parts:
        return np.zeros((0, k), np.int32), np.zeros((0, k), np.float32)
    return np.concatenate([items for items, _ in parts]), np.concatenate([scores for _, scores in parts])


def blocks(rows: int) -> list[NDArray[np.intp]]:
    """Return the row numbers in blocks that keep scores_BC small."""
    return [np.arange(start, min(start + _BLOCK, rows)) for start in range(0, rows, _BLOCK)]


def select(
    fitted: Fitted, states: States, catalogue: Catalogue, scores_BC: NDArray[np.float32], k: int, pool: int
) -> Ranked:
    """Do what `top_k` does for scores that are there already."""
    first_BC = np.array(scores_BC, np.float32)
    had = states.had.tocoo()
    place = np.searchsorted(catalogue.items, had.col)
    inside = place < len(catalogue.items)
    inside[inside] = catalogue.items[place[inside]] == had.col[inside]
    first_BC[had.row[inside], place[inside]] = -np.inf
    index_BK = _candidates(fitted, states, catalogue, first_BC, k, pool)
    first_BK = np.take_along_axis(first_BC, index_BK, axis=1)
    second_BK = fitted.rescore(states, catalogue, index_BK)
    final_BK = first_BK if second_BK is None else np.where(np.isneginf(first_BK), np.float32(-np.inf), second_BK)
    return _cut(catalogue, index_BK, final_BK, k)


def _candidates(
    fitted: Fitted, states: States, catalogue: Catalogue, first_BC: NDArray[np.float32], k: int, pool: int
) -> NDArray[np.intp]:
    """Return the columns BK, each once, of what can be on the list; what the user has only where there is no more."""
    if not fitted.two_stages:
        return best(first_BC, k)
    beside = fitted.beside(states, catalogue)
    if beside is None:
        return best(first_BC, max(k, pool))
    chosen_BC, picked_BC = np.zeros(first_BC.shape, np.bool_), np.zeros(first_BC.shape, np.bool_)
    np.put_along_axis(chosen_BC, best(first_BC, beside.first), True, axis=1)
    other_BC = np.where(chosen_BC | np.isneginf(first_BC), np.float32(0), beside.score_BC)
    index_BS = best(other_BC, beside.count)
    np.put_along_axis(picked_BC, index_BS, np.take_along_axis(other_BC, index_BS, axis=1) > 0, axis=1)
    # Where fewer go with anything, the first stage fills up.
    wanted_BC = np.where((chosen_BC | picked_BC) & ~np.isneginf(first_BC), _FIRST, first_BC)
    return best(wanted_BC, max(k, beside.first + beside.count))


def _cut(catalogue: Catalogue, index_BK: NDArray[np.intp], scores_BK: NDArray[np.float32], k: int) -> Ranked:
    order = np.lexsort((index_BK, -scores_BK), axis=1)[:, :k]
    scores = np.take_along_axis(scores_BK, order, axis=1)
    items = catalogue.items[np.take_along_axis(index_BK, order, axis=1)]
    missing = np.isneginf(scores)
    items, scores = np.where(missing, 0, items).astype(np.int32), np.where(missing, 0, scores).astype(np.float32)
    short = k - items.shape[1]
    return np.pad(items, ((0, 0), (0, short))), np.pad(scores, ((0, 0), (0, short)))


def best(scores_BC: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the columns of the k largest of each row, best first, ties by column; shape [B, min(k, C)]."""
    size = scores_BC.shape[1]
    if k >= size:
        return np.argsort(-scores_BC, axis=1, kind="stable")
    floor_B1 = _floor(scores_BC, k)
    chosen = scores_BC >= floor_B1
    count_B = np.count_nonzero(chosen, axis=1)
    tied = np.flatnonzero(count_B > _CROWD * k)
    if len(tied):
        chosen[tied] = _first_of_equals(scores_BC[tied], k)
        count_B[tied] = k
    flat = np.flatnonzero(chosen)
    there_BW = np.arange(count_B.max(initial=k)) < count_B[:, None]
    found_BW, index_BW = np.full(there_BW.shape, -np.inf, np.float32), np.zeros(there_BW.shape, np.intp)
    found_BW[there_BW], index_BW[there_BW] = scores_BC.ravel()[flat], flat % size
    order = np.argsort(-found_BW, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(index_BW, order, axis=1)


def _floor(scores_BC: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return a bound of each row, [B, 1], that at least k of its scores reach and hardly more.

    Columns are dealt into groups, and the k-th best of the groups' best is such a bound: k groups have one that is as
    good. To find it costs a pass over the scores and a selection among the groups instead of among all columns.
    """
    size = scores_BC.shape[1]
    rounds = min(_MOST_ROUNDS, size // (_GROUPS * k))
    if rounds < 2:
        return np.partition(scores_BC, size - k, axis=1)[:, size - k, None]
    groups = size // rounds
    top_BG = scores_BC[:, :groups].copy()
    for begin in range(groups, size, groups):
        some = scores_BC[:, begin : begin + groups]
        np.maximum(top_BG[:, : some.shape[1]], some, out=top_BG[:, : some.shape[1]])
    top_BG.partition(groups - k, axis=1)
    return top_BG[:, groups - k, None]


def _first_of_equals(scores_BC: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
    """Return the k largest of each row, of equals the first, as a stable sort would.

    Score and column become one integer that orders as both do: a float's bits order as its value, once those of the
    negative are turned round.
    """
    bits = (scores_BC + np.float32(0.0)).view(np.uint32)  # -0.0 becomes 0.0
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    key = ordered.astype(np.uint64) << np.uint64(32)
    key |= np.arange(scores_BC.shape[1], dtype=np.uint64)[::-1]
    at = scores_BC.shape[1] - k
    chosen: NDArray[np.bool_] = key >= np.partition(key, at, axis=1)[:, at, None]
    return chosen
