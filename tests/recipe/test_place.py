"""Which keys of a recipe are places, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ratchet.contenders.registry import sections
from ratchet.recipe.place import Place
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.section import Section
from ratchet.recipe.sections import Recipe

PLACES = {"source", "file", "files", "folder", "path", "corpus", "vectors", "sounds", "synonyms", "forward", "backward"}
PLACES |= {"test_files", "unlabelled", "workspace", "review", "human", "uri", "keys", "audit", "tls_cert", "tls_key"}


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("kind: translate, forward: %s, backward: hub/name", "forward"),
        ("kind: translate, forward: hub/name, backward: %s", "backward"),
        ("kind: masked, source: %s", "source"),
        ("kind: generate, source: %s", "source"),
        ("kind: encoder, source: %s", "source"),
    ],
)
@pytest.mark.parametrize("given", ["./m", "models/here", "hub/name@refs/pr/1", "package:name", "../m"])
def test_a_model_is_where_the_recipe_says_or_on_the_hub(tmp_path: Path, entry: str, key: str, given: str) -> None:
    (tmp_path / "models/here").mkdir(parents=True)
    recipe = parse_recipe(f"challengers: [{{{entry % given}}}]", folder=tmp_path)
    assert recipe.challengers
    local = {"./m": tmp_path / "m", "models/here": tmp_path / "models/here", "../m": tmp_path.parent / "m"}
    assert getattr(recipe.challengers[0], key) == str(local.get(given, given))


def test_words_are_no_places_whatever_lies_beside_the_recipe(tmp_path: Path) -> None:
    for name in ("auto", "scratch", "context"):
        (tmp_path / name).mkdir()
    text = "challengers: [{kind: encoder, source: scratch}, {kind: translate}, {kind: eda}]\naugment: [{kind: masked}]"
    recipe = parse_recipe(text, folder=tmp_path)
    encoder, translate, eda = recipe.challengers or ()
    assert (encoder.source, translate.forward, translate.backward, eda.synonyms) == (
        "scratch",
        "auto",
        "auto",
        "context",
    )
    assert recipe.augment[0].source == "auto"


def test_sections_in_sections_have_places_too(tmp_path: Path) -> None:
    text = """
    challengers:
    - kind: augment
      policies:
      - {kind: eda, synonyms: words.txt, filters: {meaning: .5, vectors: ./near}}
      - {kind: noise, sounds: s.txt}
    - {kind: tune, of: {kind: encoder, source: ./m}}
    """
    policies, tune = parse_recipe(text, folder=tmp_path).challengers or ()
    first, second = policies.policies
    found = first.synonyms, first.filters.vectors, second.sounds, tune.of.source
    assert found == tuple(str(tmp_path / name) for name in ("words.txt", "near", "s.txt", "m"))


def keys() -> Iterator[tuple[type[Section], str, bool]]:
    """Each key of a recipe and whether it is marked."""
    found, left = set[type[Section]](), [Recipe, *sections()]
    while left:
        section = left.pop()
        found.add(section)
        for name, info in section.model_fields.items():
            yield section, name, any(isinstance(mark, Place) for mark in info.metadata)
            inner = type(info.default)
            if issubclass(inner, Section) and inner not in found:
                left.append(inner)


def test_every_key_that_sounds_like_a_place_is_one() -> None:
    assert {(of.__name__, name) for of, name, marked in keys() if name in PLACES and not marked} == set()
    assert {name for _, name, marked in keys() if marked} <= PLACES
