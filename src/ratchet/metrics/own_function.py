"""A function of the user's own, named as ``module:function``: found, called, and known again by its source."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ratchet.errors import RecipeError

Goal = Literal["max", "min"]
Function = Callable[..., Any]
SHOWN = 8
"""So many functions of a module are named."""
LEAST = ":min"
"""What a name ends with where less is better: ``my_scores:cost:min``."""


def is_own(name: str) -> bool:
    """Whether a metric is a function of the user's."""
    return ":" in name


def divided(name: str) -> tuple[str, Goal]:
    """The ``module:function`` of a name, and whether more or less of it is better.

    >>> divided("my_scores:cost:min"), divided("my_scores:profit")
    (('my_scores:cost', 'min'), ('my_scores:profit', 'max'))
    """
    if name.count(":") > 1:
        function, _, goal = name.rpartition(":")
        if goal in ("min", "max"):
            return function, goal  # type: ignore[return-value]
    return name, "max"


def own_function(name: str, *, noun: str = "score") -> Function:
    """The function of a name without its goal. The module is imported as ``import`` would, from the installed packages and
    ``PYTHONPATH``; what it prints goes to standard error.

    Raises:
        RecipeError: it is no such name, cannot be imported, or is no function.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise RecipeError(
            f"A {noun} of your own must be named as module:function but got {name!r}.",
            next_step=f"Write it like my_{noun}s:politeness, and my_{noun}s:cost:min where less is better.",
        )
    try:
        with redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as problem:
        raise RecipeError(
            f"The {noun} {name!r} must be importable but got: {str(problem) or type(problem).__name__}.",
            next_step=f"The folder of {module_name.partition('.')[0]}.py must be on PYTHONPATH: PYTHONPATH=. ratchet ...",
        ) from problem
    if not hasattr(module, attribute):
        raise _no_such_function(module, attribute, name=name, noun=noun)
    function: object = getattr(module, attribute)
    if not callable(function):
        raise RecipeError(
            f"The {noun} {name!r} must be a function but is {type(function).__name__}.",
            next_step="Name a function of two lists, answers and references."
            if noun == "score"
            else "Name a function of two arrays, right and given.",
        )
    return function


def _no_such_function(module: ModuleType, attribute: str, *, name: str, noun: str) -> RecipeError:
    """The error of a name that the module has not: with the functions that it defines, the nearest first."""
    there = [
        one
        for one, value in vars(module).items()
        if inspect.isroutine(value) and value.__module__ == module.__name__ and not one.startswith("_")
    ]
    near = difflib.get_close_matches(attribute, there, n=SHOWN, cutoff=0.5)
    ordered = [*near, *(one for one in there if one not in near)]
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    has = f"the functions {', '.join(ordered[:SHOWN])}{more}" if ordered else "no function of its own"
    where = getattr(module, "__file__", None) or "built in"
    step = (
        f"Did you mean {module.__name__}:{near[0]}?"
        if near
        else f"Name a function that is there, or write {attribute}."
    )
    return RecipeError(
        f"The {noun} {name!r} must be a function of {module.__name__} ({where}) but that has {has}.",
        next_step=step,
    )


def known_as(name: str) -> str:
    """What names a metric where verdicts are kept: of an own one also the hash of its source, so that an edited function is
    another metric. The file of its module counts, and the file that it is defined in; other modules that it calls do not.

    Raises:
        RecipeError: as of :func:`own_function`.
    """
    if not is_own(name):
        return name
    function = own_function(divided(name)[0])
    module = sys.modules[name.partition(":")[0]]
    try:
        defined = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # a callable object, or a function of C
        defined = None
    found = hashlib.sha256()
    for path in sorted({path for path in (getattr(module, "__file__", None), defined) if path}):
        found.update(Path(path).read_bytes())
    return f"{name}@{found.hexdigest()[:16]}"
