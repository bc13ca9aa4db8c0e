"""Values that are computed when they are first asked for, once, whichever thread asks."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """A property that is computed once; other threads that ask meanwhile wait for it.

    ``functools.cached_property`` lets them compute it too. Values may ask for others of the same object as long as there
    is no circle. A computation that raises is tried again by who asks next.
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
        kept = instance.__dict__  # from now on the value is found there before this is
        with kept.setdefault(f"lock of {self.name}", RLock()):
            if self.name not in kept:
                kept[self.name] = self.compute(instance)
        value: T = kept[self.name]
        return value
