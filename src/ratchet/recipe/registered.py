"""The recipe with all that is registered: which challengers there are is known to the registry of contenders alone."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal, Union

from pydantic import Field, ValidationError, create_model

from ratchet.recipe.sections import CompressConfig, Recipe, Section


@cache
def full_recipe() -> type[Recipe]:
    """The recipe whose challengers and compressors are those that are installed.

    The registries lie above the recipe, and packages outside add to them, so they are asked by name when a recipe is read.

    Raises:
        RatchetError: a package that brings a challenger or a compressor cannot be loaded.
    """
    methods = (*import_module("ratchet.compress.compressor").compressors(),)
    kinds: Any = Annotated[Union[_specs()], Field(discriminator="kind")]  # noqa: UP007
    more: Any = Annotated[Union[_augmenting()], Field(discriminator="kind")]  # noqa: UP007
    names: Any = Literal[methods]
    compress = create_model(
        "CompressConfig",
        __base__=CompressConfig,
        __doc__=CompressConfig.__doc__,
        methods=(tuple[names, ...], _like(CompressConfig, "methods")),
    )
    return create_model(
        "Recipe",
        __base__=Recipe,
        __doc__=Recipe.__doc__,
        challengers=(tuple[kinds, ...] | None, _like(Recipe, "challengers")),
        augment=(tuple[more, ...], _like(Recipe, "augment")),
        compress=(compress, compress()),
    )


def challenger(value: object) -> object:
    """The section of a challenger's values; what is a section already, or has no known kind, stays as it is.

    Raises:
        ValidationError: a value is wrong.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    spec = next((spec for spec in _specs() if kind is not None and spec.model_fields["kind"].default == kind), None)
    return value if spec is None else spec.model_validate(value)


def augmenter(value: object) -> object:
    """The section of an augmenter's values; what is a section already stays as it is.

    Raises:
        ValueError: there is no such augmenter, or one of its values is wrong.
    """
    if isinstance(value, Section):
        return value
    known = import_module("ratchet.augment.registry").augmenters()
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind not in known:
        raise ValueError(f"kind must be one of {', '.join(known)} but got {kind!r}.")
    try:
        return known[kind].spec.model_validate(value)
    except ValidationError as error:
        found = error.errors()[0]
        key, problem = ".".join(map(str, found["loc"])), found["msg"].removeprefix("Input should be ")
        raise ValueError(f"{key} must be {problem} but got {found['input']!r}.") from None


def _augmenting() -> tuple[type[Section], ...]:
    specs: tuple[type[Section], ...] = import_module("ratchet.contenders.registry").augmenting()
    return specs


def _specs() -> tuple[type[Section], ...]:
    specs: tuple[type[Section], ...] = import_module("ratchet.contenders.registry").sections()
    return specs


def _like(section: type[Section], key: str) -> Any:
    """The key's default and description."""
    info = section.model_fields[key]
    return Field(default=info.default, description=info.description)
