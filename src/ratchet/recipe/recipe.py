"""Reading and writing recipes: YAML and ``--set`` into a checked `Recipe`, and back."""

from __future__ import annotations

import copy
import difflib
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ratchet.errors import RecipeError
from ratchet.recipe.mistakes import Mistake, Places, dotted, elsewhere, sections, shown
from ratchet.recipe.place import located
from ratchet.recipe.registered import full_recipe
from ratchet.recipe.sections import Recipe, Section
from ratchet.recipe.yaml import read_yaml, write_yaml

RECIPES = (".yaml", ".yml")
"""What the name of a recipe ends in, so that it is told from a table."""


def load_recipe(path: str | Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe file.

    Args:
        path: the file, in UTF-8.
        overrides: as of ``--set``: "split.test=0.2", "challengers.0.copies=2", "gate.metrics=[accuracy, auc]".

    Returns:
        The recipe, its paths absolute (in the file they are relative to it).

    Raises:
        RecipeError: with the key, the line and the nearest right key or value.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [other.name for other in path.parent.glob("*.y*ml")], n=1)
        step = f"Did you mean {path.with_name(near[0])}?" if near else "Write one with: ratchet init"
        raise RecipeError(f"The recipe {path} must be a file but does not exist.", next_step=step) from None
    except OSError as error:
        raise RecipeError(f"The recipe {path} must be readable but got: {error.strerror}.") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RecipeError(
            f"{path.name} must be UTF-8 but got the byte {data[error.start]:#x} (line {line}).",
            next_step="Save it as UTF-8.",
        ) from None
    try:
        return parse_recipe(text, folder=path.parent, name=path.name, overrides=overrides)
    except RecipeError as error:
        if path.suffix.lower() in RECIPES:
            raise
        raise RecipeError(
            f"The recipe must be a YAML file but {path} is read as none: {error.problem}",
            next_step=f"Of a table, write a recipe first: ratchet init --file {path}",
        ) from None


def parse_recipe(text: str, *, folder: str | Path, name: str = "the recipe", overrides: Sequence[str] = ()) -> Recipe:
    """Check the text of a recipe.

    Args:
        text: YAML; may be empty.
        folder: what the paths in it are relative to.
        name: what messages call it.
        overrides: as in `load_recipe`.

    Raises:
        RecipeError: as in `load_recipe`.
    """
    document = read_yaml(text, name=name)
    values = {} if document.value is None else document.value
    if not isinstance(values, dict):
        raise RecipeError(f"{name} must be a section of keys but got {shown(values)}.")
    places = Places(document.places, name=name)
    for override in overrides:
        _override(values, override, places=places)
    return located(_checked(values, places=places), Path(folder))


def dump_recipe(recipe: Recipe) -> str:
    """Every key of the recipe as YAML, which loads back equal."""
    return write_yaml(recipe.model_dump(mode="json"))


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a recipe."""
    found = full_recipe().model_json_schema()
    for name, info in full_recipe().model_fields.items():
        if isinstance(info.default, Section):  # a section whose keys are all commented out
            entry = found["properties"][name]
            entry["anyOf"] = [{"$ref": entry.pop("$ref")}, {"type": "null"}]
            entry.setdefault("description", _text(type(info.default).__doc__))
    for section in found["$defs"].values():
        for entry in section["properties"].values():
            if "$ref" in entry:  # pydantic leaves out what is said beside a reference
                entry.setdefault("description", found["$defs"][entry["$ref"].rpartition("/")[2]]["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:ratchetml:recipe",
        **found,
        "title": "Ratchet recipe",
    }


def commented_recipe(answers: Mapping[str, object]) -> str:
    """The recipe that ``ratchet init`` writes: the answers, and every other key commented out with its default.

    Args:
        answers: values by dotted key, such as {"data.files": ["reviews.csv"], "data.text": "review"}.

    Raises:
        RecipeError: an answer is to no key, or not a value it may have.
    """
    values: dict[str, Any] = {}
    places = Places({}, name="the answers")
    for key, answer in answers.items():
        _override(values, f"{key}={write_yaml(answer, flow=True)}", places=places, flag="the answer")
    _checked(values, places=places)
    lines = [
        "# Ratchet's recipe: `ratchet run` does what it says. Paths are relative to this file.",
        "# A line with # and no space after it is a key with its default; remove the # to change it.",
    ]
    for name, info in full_recipe().model_fields.items():
        default = info.default
        if isinstance(default, Section):
            lines += ["", *_comment(type(default).__doc__), f"{name}:"]
            lines += _keys(default, values.get(name) or {}, indent="  ")
        else:
            lines += ["", *_comment(info.description)]
            if name == "challengers" and name not in values:
                lines += _examples()
            else:
                lines.append(_line(name, default, values))
    return "\n".join(lines) + "\n"


def _override(values: dict[str, Any], text: str, *, places: Places, flag: str = "--set") -> None:
    """Set the value of "key=value", whose key may lead through lists by number; ``flag`` is what messages call it."""
    key, equals, written = text.partition("=")
    path = tuple(int(step) if step.isdecimal() else step for step in key.strip().split("."))
    if not equals or "" in path:
        raise RecipeError(f"{flag} must be KEY=VALUE but got {text!r}.", next_step=f"An example: {flag} split.test=0.2")
    value = read_yaml(written, name=f"The value of {flag} {key}").value
    places.override(path, f"{flag} {text}")
    holder: Any = values
    for depth, step in enumerate(path):
        here, rest = path[:depth], path[depth + 1 :]
        if isinstance(holder, list) and isinstance(step, int):
            if step > len(holder):
                raise RecipeError(
                    f"{dotted((*here, step))} ({flag} {text}) must be an item of the list but got number {step}:"
                    f" {dotted(here)} has {len(holder)}, counted from 0."
                )
            if step == len(holder):
                holder.append({} if rest else None)
        elif not isinstance(holder, dict) or not isinstance(step, str):
            raise RecipeError(
                f"{dotted(here)} ({flag} {text}) must be {'a list' if isinstance(step, int) else 'a section'} to have"
                f" {step!r} in it but got {shown(holder)}.",
                next_step=elsewhere(str(path[-1])),
            )
        elif rest and holder.get(step) is None:
            holder[step] = _default((*here, step)) or ([] if isinstance(rest[0], int) else {})
        if not rest:
            holder[step] = value
        holder = holder[step]


def _default(path: tuple[str | int, ...]) -> list[Any] | None:
    """The list that stands at the path when the recipe says nothing."""
    found: Any = full_recipe()().model_dump(mode="json")
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return copy.deepcopy(found) if isinstance(found, list) else None


def _checked(values: Mapping[str, Any], *, places: Places) -> Recipe:
    """The recipe of these values.

    Raises:
        RecipeError: the first mistake, and where the others are.
    """
    values = dict(values)
    # else the registries need not be loaded
    registered = values.get("challengers") or values.get("augment") or values.get("compress")
    for name, info in Recipe.model_fields.items():
        given = values.get(name)
        if isinstance(info.default, Section) and (given is None or isinstance(given, dict)):
            # A section whose keys are all commented out is null; the default of the baseline brings its name along.
            values[name] = {**info.default.model_dump(mode="json", exclude_unset=True), **(given or {})}
    if isinstance(values.get("challengers"), list):
        values["challengers"] = [_trained_alike(entry, values["train"]) for entry in values["challengers"]]
    try:
        # Strict checking takes a list for a tuple only in JSON.
        model = full_recipe() if registered else Recipe
        checked = model.model_validate_json(json.dumps(values), strict=True)
        return Recipe.model_validate(checked.model_dump(exclude_unset=True)) if registered else checked
    except ValidationError as error:
        mistakes = [Mistake(details, values=values, places=places) for details in error.errors()]
    # A list without its wrong items may be wrong too, but only because of them.
    inner = [mistake for mistake in mistakes if not any(mistake.holds(other) for other in mistakes)]
    first, *others = sorted(inner, key=lambda mistake: mistake.line)
    paths = dict.fromkeys(dotted(other.path) for other in others if other.path != first.path)
    also = f"Also wrong: {', '.join(paths)}." if paths else ""
    raise RecipeError(first.problem, next_step=f"{first.next_step} {also}".strip())


def _trained_alike(challenger: Any, train: Any) -> Any:
    """An encoder among the challengers, with the keys of the section ``train`` that it does not say itself; tuned ones too."""
    if isinstance(challenger, dict) and challenger.get("kind") == "tune" and "of" in challenger:
        of = challenger["of"]
        return {**challenger, "of": _trained_alike({"kind": of} if isinstance(of, str) else of, train)}
    if not isinstance(challenger, dict) or challenger.get("kind") != "encoder" or not isinstance(train, dict):
        return challenger
    return {**{key: value for key, value in train.items() if key not in ("kind", "name")}, **challenger}


def _keys(section: Section, given: Mapping[str, Any], *, indent: str) -> list[str]:
    """Each key of a section with its description; what was not given is commented out."""
    lines = []
    for name, info in type(section).model_fields.items():
        if name != "kind":
            lines += _comment(info.description, indent=indent)
            lines.append(indent + _line(name, getattr(section, name), given))
    return lines


def _comment(docstring: str | None, *, indent: str = "") -> list[str]:
    """A docstring as comment lines that fit on a screen."""
    before = f"{indent}# "
    return textwrap.wrap(_text(docstring), width=120, initial_indent=before, subsequent_indent=before)


def _line(name: str, default: object, given: Mapping[str, Any]) -> str:
    if name in given:
        return f"{name}: {write_yaml(given[name], flow=True)}"
    plain = json.loads(json.dumps(default, default=lambda section: section.model_dump(mode="json")))
    return f"#{name}: {write_yaml(plain, flow=True)}"


def _examples() -> list[str]:
    """One challenger of each kind, commented out."""
    lines = ["#challengers:"]
    for spec in sections(full_recipe(), "challengers"):
        lines += [*_comment(spec.__doc__, indent="  "), f"  #- kind: {spec.model_fields['kind'].default}"]
        lines += _keys(spec(), {}, indent="    ")
    return lines


def _text(docstring: str | None) -> str:
    """A docstring on one line."""
    return " ".join((docstring or "").replace("``", "`").split())
