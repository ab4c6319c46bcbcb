"""What was computed of an object, for as long as the object is there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Values by the identity of objects; a value goes when its object does."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[object], Value]] = {}

    def of(self, one: object, make: Callable[[], Value]) -> Value:
        """Return the object's value, made at the first time."""
        key = id(one)
        if key not in self._values:
            self._values[key] = (weakref.ref(one, lambda _: self._values.pop(key, None)), make())
        return self._values[key][1]
