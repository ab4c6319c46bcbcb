"""Views of a history: a part of it, some of it hidden, or a stretch of it in another order (Xie et al. 2022, CL4SRec).

A view is a pure function of (seed, epoch, number of the view, the history itself), so it is the same in every batch and
on every rank. Where CL4SRec chooses one of the three ways at random, so do we, among those that are switched on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landbridge.config.histories import Augment
from landbridge.models.histories import EVENTS, Histories
from landbridge.models.initial import mix, salt, uniform

Bools = NDArray[np.bool_]
Places = NDArray[np.int64]


def view_of(histories: Histories, augment: Augment, seed: int, epoch: int, number: int) -> Histories:
    """Return a view of every history; at least one event of each stays."""
    draw = _Draw(histories.keys(), salt("view", seed, epoch, number))
    present_HL = histories.present.numpy()
    ways = [way for way in ("crop", "mask", "reorder") if getattr(augment, way) > 0]
    way_H = np.minimum((draw.one("way") * len(ways)).astype(np.int64), len(ways) - 1)
    kept_HL, order_HL = present_HL.copy(), np.broadcast_to(np.arange(present_HL.shape[1]), present_HL.shape).copy()
    for number_of_way, way in enumerate(ways):
        rows = np.flatnonzero(way_H == number_of_way)
        if way == "crop":
            kept_HL[rows] = _cropped(present_HL, augment.crop, draw)[rows]
        if way == "mask":
            kept_HL[rows] = _unmasked(present_HL, augment.mask, draw)[rows]
        if way == "reorder":
            order_HL[rows] = _reordered(present_HL, augment.reorder, draw)[rows]
    return _taken(histories, torch.from_numpy(order_HL)).kept(torch.from_numpy(kept_HL))


def some_viewed(histories: Histories, augment: Augment, seed: int, epoch: int) -> Histories:
    """Return the histories, `augment.share` of them as a view."""
    if augment.share == 0.0:
        return histories
    viewed = view_of(histories, augment, seed, epoch, 0)
    chosen_H = torch.from_numpy(_Draw(histories.keys(), salt("viewed", seed, epoch)).one("row") < augment.share)
    mixed = {name: torch.where(chosen_H[:, None], getattr(viewed, name), getattr(histories, name)) for name in EVENTS}
    return replace(histories, **mixed)


class _Draw:
    """Numbers in (0, 1) of each history."""

    def __init__(self, key_H: NDArray[np.uint64], stream: np.uint64) -> None:
        with np.errstate(over="ignore"):
            self.key_H = mix(key_H + stream)

    def one(self, place: str) -> NDArray[np.float64]:
        """Return a number a history, H."""
        return self.many(place, 1)[:, 0]

    def many(self, place: str, width: int) -> NDArray[np.float64]:
        """Return numbers HW."""
        with np.errstate(over="ignore"):
            row_H = mix(self.key_H + salt(place))
            return uniform(row_H[:, None] + np.arange(width, dtype=np.uint64)[None])


def _stretch(present_HL: Bools, share: float, draw: _Draw, place: str) -> Bools:
    """Return a random stretch of each history of `share` of its events, rounded up."""
    count_H = present_HL.sum(1)
    length_H = np.ceil(count_H * share - 1e-9).astype(np.int64)
    start_H = np.floor(draw.one(place) * (count_H - length_H + 1)).astype(np.int64)
    number_HL = np.cumsum(present_HL, axis=1) - 1
    inside_HL = (number_HL >= start_H[:, None]) & (number_HL < (start_H + length_H)[:, None])
    return np.asarray(present_HL & inside_HL)


def _cropped(present_HL: Bools, share: float, draw: _Draw) -> Bools:
    return _stretch(present_HL, 1.0 - share, draw, "crop")


def _unmasked(present_HL: Bools, share: float, draw: _Draw) -> Bools:
    number_HL = np.where(present_HL, draw.many("mask", present_HL.shape[1]), -1.0)
    largest_HL = number_HL == number_HL.max(axis=1, keepdims=True)
    return np.asarray(present_HL & ((number_HL >= share) | largest_HL))


def _reordered(present_HL: Bools, share: float, draw: _Draw) -> Places:
    """Return for each place the one whose event it gets."""
    moved_HL = _stretch(present_HL, share, draw, "reorder")
    place_HL = np.broadcast_to(np.arange(present_HL.shape[1]), present_HL.shape)
    number_HL = draw.many("order", present_HL.shape[1])
    # Among the places of the stretch by a random number; every other place sorts by itself, before or after them.
    first_H = np.argmax(moved_HL, axis=1)
    key_HL = np.where(moved_HL, first_H[:, None] + number_HL, place_HL)
    return np.asarray(np.argsort(key_HL, axis=1, kind="stable"))


def _taken(histories: Histories, order_HL: Tensor) -> Histories:
    """Return the events in another order; the ages stay where they are, because they tell the encoder of the order."""
    names = ("item_HL", "scenario_HL", "type_HL", "outcome_HL")
    return replace(histories, **{name: getattr(histories, name).gather(1, order_HL) for name in names})
