"""Settings of the linear models that every run tries first, chosen by language and size."""

from __future__ import annotations

from ratchet.models.targets import Kind
from ratchet.recipe.sections import BlendSpec, LinearFeatures, LinearSpec
from ratchet.text.language import Language

# From this many rows on, an n-gram seen once costs accuracy (measured at 300 to 15,000 rows).
_FEW_ROWS = 100
# One-vs-rest takes one fit a label, and naive-Bayes weighting one matrix a label on top.
_MANY_LABELS = 20
# Any of so many labels a row: n-grams of fewer rows than this cost accuracy, and most of the bytes of the model. On 5,000
# generated rows of 1,000 labels the baseline has 35 MB instead of 399, and an average precision of .50 instead of .34.
_VERY_MANY_LABELS, _LEAST_ROWS = 100, 3


def default_specs(
    language: Language, *, n_rows: int, n_labels: int, kind: Kind = "classes"
) -> dict[str, LinearSpec | BlendSpec]:
    """The baseline and its challengers by name, in the order in which they are tried.

    The baseline is ``tfidf-lr``, for a value ``tfidf-ridge``. Settings are those with the best out-of-fold accuracy on
    Chinese reviews, and on English bank questions and SMS.
    """
    rare = 2 if n_rows >= _FEW_ROWS else 1
    if kind == "value":
        return _for_a_value(language, min_df=rare)
    least = _LEAST_ROWS if kind == "labels" and n_labels > _VERY_MANY_LABELS else 1
    baseline = LinearSpec(name="tfidf-lr", features=_baseline_features(language, min_df=least), C=10)
    wide = LinearSpec(
        name="linear-wide",
        features=_wide_features(language, min_df=max(rare, least), least=least),
        C=10 if language == "zh" else 30,
    )
    specs: dict[str, LinearSpec | BlendSpec] = {spec.name: spec for spec in (baseline, wide)}
    if n_labels <= _MANY_LABELS:
        # The same n-grams as the wide model's, so that a blend of the two holds and counts them once.
        last = wide.features[-1]
        naive = LinearFeatures(unit=last.unit, low=last.low, high=last.high, min_df=last.min_df, weighting="nb")
        nb = LinearSpec(name="nb", features=(naive,), C=10)
        specs |= {"nb": nb, "blend": BlendSpec(name="blend", members=(wide, nb))}
    return specs


def _for_a_value(language: Language, *, min_df: int) -> dict[str, LinearSpec | BlendSpec]:
    ridge = LinearSpec(name="tfidf-ridge", features=_baseline_features(language), C=1)
    wide = LinearSpec(name="linear-wide", features=_wide_features(language, min_df=min_df), C=1)
    return {spec.name: spec for spec in (ridge, wide, BlendSpec(name="blend", members=(ridge, wide)))}


def resolve(
    spec: LinearSpec | BlendSpec, *, language: Language, n_rows: int, n_labels: int, kind: Kind = "classes"
) -> LinearSpec | BlendSpec:
    """The spec with what it leaves open filled in: features, members, and the penalty where it was not given."""
    specs = default_specs(language, n_rows=n_rows, n_labels=n_labels, kind=kind)
    baseline = next(iter(specs.values()))
    assert isinstance(baseline, LinearSpec)
    if isinstance(spec, LinearSpec):
        return _filled(spec, baseline)
    if spec.members:
        return spec.model_copy(update={"members": tuple(_filled(member, baseline) for member in spec.members)})
    usual = specs.get("blend", BlendSpec(members=tuple(one for one in specs.values() if isinstance(one, LinearSpec))))
    assert isinstance(usual, BlendSpec)
    return spec.model_copy(update={"members": usual.members})


def _filled(spec: LinearSpec, baseline: LinearSpec) -> LinearSpec:
    if spec.features:
        return spec
    C = spec.C if "C" in spec.model_fields_set else baseline.C
    return spec.model_copy(update={"features": baseline.features, "C": C})


def _baseline_features(language: Language, *, min_df: int = 1) -> tuple[LinearFeatures, ...]:
    return (LinearFeatures(unit="char" if language == "zh" else "word", low=1, high=2, min_df=min_df),)


def _wide_features(language: Language, *, min_df: int, least: int = 1) -> tuple[LinearFeatures, ...]:
    if language == "zh":
        return (LinearFeatures(unit="char", low=1, high=4, sublinear=True, min_df=min_df),)
    low, high = (2, 5) if language == "en" else (1, 4)
    return (
        LinearFeatures(unit="word", low=1, high=2, sublinear=True, min_df=least),
        LinearFeatures(unit="char", low=low, high=high, sublinear=True, min_df=min_df),
    )
