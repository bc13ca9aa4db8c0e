"""A mistake in a recipe, in one sentence: the key, its line, what it must be, what it got, and the nearest right one."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic_core import ErrorDetails

from ratchet.recipe.registered import full_recipe
from ratchet.recipe.sections import Section
from ratchet.recipe.yaml import Path, Place, write_yaml

_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "tuple": "a list",
    "model": "a section of keys",
    "dict": "a section of keys",
}


_FORM = re.compile(r"(?:tuple|dict)\[")


class Places:
    """Where each value of a recipe came from: a line of the file, or an override."""

    def __init__(self, places: Mapping[Path, Place], *, name: str) -> None:
        self.name = name
        self._places: dict[Path, Place | str] = dict(places)

    def override(self, path: Path, origin: str) -> None:
        """From now on the value, with all inside it, comes from ``origin``."""
        for known in [known for known in self._places if known[: len(path)] == path]:
            del self._places[known]
        self._places[path] = origin

    def of(self, path: Path) -> str:
        """The origin for a message."""
        found = self._find(path)
        return found if isinstance(found, str) else f"{self.name}, line {found.line}"

    def line(self, path: Path) -> float:
        """The line, for sorting; overrides come last."""
        found = self._find(path)
        return math.inf if isinstance(found, str) else found.line

    def source(self, path: Path) -> str | None:
        """How a scalar of the file was written."""
        found = self._places.get(path)
        return found.source if isinstance(found, Place) else None

    def _find(self, path: Path) -> Place | str:
        """The origin of the value, else of one inside it that was overridden, else of the nearest around it."""
        if path in self._places:
            return self._places[path]
        inside = [origin for known, origin in self._places.items() if known[: len(path)] == path]
        if inside and path:
            return inside[0]
        return self._find(path[:-1]) if path else Place(line=1, column=1)


class Mistake:
    """One of pydantic's errors about a recipe."""

    def __init__(self, details: ErrorDetails, *, values: Mapping[str, Any], places: Places) -> None:
        self._kind, self._context, self._given = details["type"], details.get("ctx", {}), details["input"]
        self._message = details["msg"]
        self._sections = _sections_at(details["loc"][:-1])
        self.path = _without_tags(details["loc"], values)
        self.next_step = ""
        must = self._must()
        self.line = places.line(self.path)
        self.problem = f"{dotted(self.path)} ({places.of(self.path)}) must {must}."
        if must.startswith("be text but") and not isinstance(self._given, list | dict):
            written = places.source(self.path)
            if written is None and self._given is not None:
                written = json.dumps(self._given)
            quoted = f"Put it in quotes: {json.dumps(written, ensure_ascii=False)}."
            self.next_step = quoted if written else "Write a text, or remove the key."

    def holds(self, other: Mistake) -> bool:
        """Whether the other mistake is inside this one."""
        return len(other.path) > len(self.path) and other.path[: len(self.path)] == self.path

    def _must(self) -> str:
        """What comes after "must"; the next step is set beside it."""
        kind, given = self._kind, self._given
        if kind == "extra_forbidden":
            return self._unknown()
        if kind in _LIMITS:
            limit, word = _LIMITS[kind]
            bound = self._context[limit]
            written = bound if isinstance(bound, int) else f"{bound:g}"
            return f"be {word} {written} but got {shown(given)}"
        if kind in ("literal_error", "union_tag_invalid"):
            return self._one_of()
        if kind == "union_tag_not_found":
            self.path = (*self.path, "kind")
            choices = [str(section.model_fields["kind"].default) for section in sections(full_recipe(), "challengers")]
            return f"be one of {', '.join(choices)} but is missing"
        if kind in ("string_pattern_mismatch", "string_too_long"):
            rule = "a name of at most 60 characters without a slash, a control character or a dot at its beginning"
            return f"be {rule} but got {shown(given)}"
        if kind.endswith("too_short"):
            return f"not be empty but got {shown(given)}"
        if kind == "value_error":
            key, _, rest = str(self._context["error"]).partition(" must ")
            if key not in self.path[-2:]:  # a check of one value, or of one in a list, names its own key
                self.path = (*self.path, key)
            return rest.removesuffix(".")
        if kind.partition("_")[0] not in _TYPES:
            return f"be right but got {shown(given)}: {self._message}"
        return self._typed(_TYPES[kind.partition("_")[0]])

    def _typed(self, word: str) -> str:
        given = self._given
        lower = str(given).lower()
        if word == "true or false" and lower in ("yes", "no", "on", "off", "y", "n"):
            self.next_step = f"Write {'true' if lower in ('yes', 'on', 'y') else 'false'}."
        elif "number" in word and isinstance(given, str) and re.fullmatch(r"[-+.\deE]*\d[-+.\deE]*", given):
            self.next_step = "Write it without quotes."
        elif word == "a list" and isinstance(given, str | int | float):
            self.next_step = f"Write {write_yaml([given], flow=True)}."
        return f"be {word} but got {shown(given)}"

    def _one_of(self) -> str:
        given = self._given
        if self._kind == "union_tag_invalid":
            self.path, given = (*self.path, "kind"), self._context["tag"]
        choices = re.findall("'([^']*)'", self._context.get("expected_tags") or self._context["expected"])
        near = [choice for choice in choices if given and str(given).lower() in choice]
        near = near or difflib.get_close_matches(str(given), choices, n=1, cutoff=0.5)
        self.next_step = f"Did you mean {near[0]}?" if near else ""
        return f"be one of {', '.join(choices)} but got {shown(given)}"

    def _unknown(self) -> str:
        key, here = str(self.path[-1]), dotted(self.path[:-1])
        known = list(dict.fromkeys(name for section in self._sections for name in section.model_fields))
        lower = {name.lower(): name for name in known}
        near = [lower[name] for name in difflib.get_close_matches(key.lower(), lower, n=1)]
        inner = [str(name) for name in self._given] if isinstance(self._given, dict) else []
        self.next_step = (
            f"Did you mean {near[0]}?" if near else elsewhere(key, *inner) or f"The keys are {', '.join(known)}."
        )
        return (
            f"be a key of {here} but there is no such key"
            if here
            else "be a key of the recipe but there is no such key"
        )


def dotted(path: Path) -> str:
    """The path as ``--set`` takes it."""
    return ".".join(map(str, path)) or "the recipe"


def shown(value: object) -> str:
    """A value in a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            short = value if len(value) <= 60 else f"{value[:60]}..."
            return f"the text {json.dumps(short, ensure_ascii=False)}"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a section of keys"
        case _:
            return str(value)[:60]


def elsewhere(*keys: str) -> str:
    """Where in the recipe the first of these keys that there is belongs, as a question; empty when nowhere."""
    for key in keys:
        found = [f"{path}{of}" for path, of in _paths(full_recipe()) if path.rpartition(".")[2] == key]
        found.sort(key=lambda path: path.count("."))
        if found:
            return f"Did you mean {' or '.join(found[:3])}?"
    return ""


def _paths(section: type[Section], before: str = "", of: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a section and of those inside it (N: the number of an item), and of which kind of challenger it is."""
    for name, info in section.model_fields.items():
        yield f"{before}{name}", of
        many = {"tuple": ".N", "dict": ".NAME"}.get(str(info.annotation).partition("[")[0], "")
        for inner in sections(section, name):
            kind = f" (kind: {inner.model_fields['kind'].default})" if name == "challengers" else of
            yield from _paths(inner, f"{before}{name}{many}.", kind)


def sections(section: type[Section], name: str) -> list[type[Section]]:
    """The kinds of section that a key may hold, alone or in a list."""
    if name not in section.model_fields:
        return []
    found, todo = [], [section.model_fields[name].annotation]
    while todo:
        annotation = todo.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            found.append(annotation)
        todo += [argument for argument in get_args(annotation) if not isinstance(argument, str)]
    return found


def _sections_at(location: tuple[int | str, ...]) -> list[type[Section]]:
    """The kinds of section at a location of pydantic's, which holds the kind of each challenger it goes through."""
    found: list[type[Section]] = [full_recipe()]
    named = False  # the next step is a name of the user's, under which such a section is
    for step in location:
        if named:
            named = False
        elif isinstance(step, str):
            named = any(
                str(of.model_fields[step].annotation).startswith("dict") for of in found if step in of.model_fields
            )
            of_kind = [kind for kind in found if len(found) > 1 and kind.model_fields["kind"].default == step]
            found = of_kind or [inner for section in found for inner in sections(section, step)]
    return found


def _without_tags(location: tuple[int | str, ...], values: Mapping[str, Any]) -> Path:
    """The path in the recipe for a location of pydantic's, which also names the form tried of a value that may have two."""
    path: list[str | int] = []
    here: Any = values
    for step in location:
        if isinstance(here, dict) and step not in here and here.get("kind") == step:
            continue
        if (
            isinstance(step, str)
            and (_FORM.match(step) or step == "str")
            and not (isinstance(here, dict) and step in here)
        ):
            continue
        path.append(step)
        if isinstance(here, dict):
            here = here.get(str(step))
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
    return tuple(path)
