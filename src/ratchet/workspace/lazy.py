"""Values that are computed when they are first asked for, once, whichever thread asks."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """A property that is computed once; other threads that ask meanwhile wait for it.

    ``functools.cached_property`` lets them compute it too. Values may ask for others of the same object as long as there
    is no circle. If a computation raises, the next access tries again.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> once[T] | T:
        if instance is None:
            return self
        value: T = computed_once(instance.__dict__, self.name, lambda: self.compute(instance))
        return value  # from now on it is found in the instance before this is asked


def computed_once(kept: dict[str, Any], name: str, compute: Callable[[], T]) -> T:
    """``kept[name]``; it is computed by the first thread that asks, and others wait for it meanwhile."""
    with kept.setdefault(f"lock of {name}", RLock()):
        if name not in kept:
            kept[name] = compute()
    value: T = kept[name]
    return value
