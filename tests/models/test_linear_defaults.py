from __future__ import annotations

import pytest

from ratchet.models.linear_defaults import default_specs, resolve
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec
from ratchet.text.language import Language

SIZE = {"n_rows": 5000, "n_labels": 2}


@pytest.mark.parametrize("language", ["zh", "en", "mixed"])
@pytest.mark.parametrize(("labels", "names"), [(2, 4), (77, 2)])
def test_default_specs(language: Language, labels: int, names: int) -> None:
    specs = default_specs(language, n_rows=5000, n_labels=labels)
    assert list(specs) == ["tfidf-lr", "linear-wide", "nb", "blend"][:names]
    for name, spec in specs.items():
        assert spec.name == name
        assert resolve(spec, language=language, n_rows=5000, n_labels=labels) == spec


def test_few_rows_keep_rare_ngrams() -> None:
    for rows, rare in ((50, 1), (500, 2)):
        wide = default_specs("zh", n_rows=rows, n_labels=2)["linear-wide"]
        assert isinstance(wide, LinearSpec)
        assert wide.features[-1].min_df == rare


@pytest.mark.parametrize(("given", "expected"), [({}, 10), ({"C": 1.0}, 1), ({"C": 0.5}, 0.5)])
def test_a_given_penalty_is_kept(given: dict[str, float], expected: float) -> None:
    spec = resolve(LinearSpec.model_validate({"name": "mine", **given}), language="zh", **SIZE)  # type: ignore[arg-type]
    assert isinstance(spec, LinearSpec)
    assert (spec.name, spec.C) == ("mine", expected)
    assert spec.features == (LinearFeatures(unit="char", low=1, high=2),)


@pytest.mark.parametrize("labels", [2, 77])
def test_an_empty_blend_gets_members(labels: int) -> None:
    spec = resolve(BlendSpec(name="mix"), language="en", n_rows=5000, n_labels=labels)
    assert isinstance(spec, BlendSpec)
    assert spec.name == "mix"
    assert len(spec.members) == 2
    assert all(member.features for member in spec.members)


def test_open_members_are_filled_in() -> None:
    spec = resolve(BlendSpec(members=(LinearSpec(), LinearSpec(C=2))), language="en", **SIZE)  # type: ignore[arg-type]
    assert isinstance(spec, BlendSpec)
    assert [(member.features[0].unit, member.C) for member in spec.members] == [("word", 10), ("word", 2)]
