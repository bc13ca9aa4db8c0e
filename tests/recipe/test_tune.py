"""The section of a tuned challenger: what may be tuned, and what is said of a mistake in it."""

from __future__ import annotations

import pytest

from ratchet.errors import RecipeError
from ratchet.recipe.recipe import dump_recipe, parse_recipe
from ratchet.recipe.sections import EncoderSpec, LinearSpec
from ratchet.recipe.tune import TuneSpec

SECRET = "hunter2hunter2"


def parsed(text: str, more: str = "") -> TuneSpec:
    recipe = parse_recipe(f"challengers: [{{kind: tune, {text}}}]\n{more}", folder=".")
    assert parse_recipe(dump_recipe(recipe), folder=".") == recipe
    assert recipe.challengers is not None
    (found,) = recipe.challengers
    assert isinstance(found, TuneSpec)
    return found


def test_a_kind_by_its_name_or_a_section() -> None:
    assert parsed("of: linear").of == LinearSpec()
    assert parsed("of: {kind: linear, C: 3}, space: {C: {low: 1, high: 9, log: true}}").of == LinearSpec(C=3)
    assert parsed("space: {features.0.high: [2, 3]}").space["features.0.high"].choices == (2, 3)
    assert parsed("space: {features: [[{unit: word}], [{unit: char}]]}").space["features"].choices[0] == [
        {"unit": "word"}
    ]


def test_a_tuned_encoder_takes_what_the_recipe_says_of_training() -> None:
    found = parsed("of: {kind: encoder, lr: 0.01}", more="train: {epochs: 3, lr: 0.5}").of
    assert isinstance(found, EncoderSpec)
    assert (found.epochs, found.lr) == (3, 0.01)
    assert parsed("of: encoder", more="train: {source: ./here}").of.source.startswith("/")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("of: linaer", r"of.kind .* must be one of linear, .* but got 'linaer'; did you mean linear"),
        ("of: answers", r"of.kind .* but got 'answers'"),
        ("of: {kind: tune}", r"of.kind .* but got 'tune'"),
        ("of: {kind: linear, Cc: 3}", r"of.Cc .* must be a key of the kind .* did you mean C\?"),
        ("of: {kind: linear, C: -3}", r"of.C .* must be greater than or equal"),
        ("of: {kind: encoder, width: 129}", r"of.width .* must be a multiple of heads"),
        ("space: {features.0.hig: [2]}", r"space.features.0.hig .* did you mean features.0.high\?"),
        ("space: {high: [2]}", r"space.high .* did you mean features.0.high\?"),
        ("space: {features.high: [2]}", r"space.features.high .* did you mean features.0.high\?"),
        ("space: {name: [a]}", r"space.name .* must be a key of LinearSpec that may be tuned"),
        ("space: {C: {low: 0, high: 4}}", r"space.C .* must be greater than or equal to .* but got 0"),
        ("space: {features.0.high: {low: 1, high: 2.5}}", r"space.features.0.high .* must have whole numbers"),
        ("space: {features.0.unit: [word, ward]}", r"space.features.0.unit .* but got ward"),
        ("space: {C: {low: 3}}", r"space.C.low .* must have high beside it"),
        ("space: {C: {low: 3, high: 2}}", r"space.C.high .* must be above low \(3\) but got 2"),
        ("space: {C: {low: -1, high: 2, log: true}}", r"space.C.low .* must be above 0 where log is true"),
        ("space: {C: {low: 1, high: 2, step: 3}}", r"space.C.step .* must be above 0 and at most"),
        ("space: {C: {low: 1, choices: [2]}}", r"space.C.choices .* must stand alone"),
        ("metric: acuracy", r"metric .* must be one of accuracy, .* Did you mean accuracy"),
        ("storage: sqlite:///x.db", r"storage .* must be empty or begin with postgresql://"),
        ("password: PGPASSWORD", r"password .* must have a storage beside it"),
        (f"storage: 'postgresql://me:{SECRET}@h/d'", r"storage .* must have no password in it"),
        (f"storage: 'postgresql://me@h/d?password={SECRET}'", r"storage .* must have no password in it"),
    ],
)
def test_a_mistake_is_one_sentence_about_its_key(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=f"challengers.0.{said}") as caught:
        parsed(text)
    assert SECRET not in str(caught.value)


def test_a_range_that_is_right_only_beside_another_is_none() -> None:
    assert parsed("space: {features.0.low: {low: 3, high: 4}, features.0.high: {low: 4, high: 6}}").space
