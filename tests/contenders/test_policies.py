"""The search for a policy: inside the training rows, the same by seed, and not begun again where it was killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.augment.augmenter import Making
from ratchet.augment.eda import Eda
from ratchet.contenders import policies
from ratchet.contenders.change import Changing
from ratchet.contenders.material import NothingMade, held, summed
from ratchet.contenders.policies import Policies, policies_of
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError, RecipeError
from ratchet.recipe.augment import AugmentFilters, EdaSpec, GenerateSpec, PolicySpec
from ratchet.recipe.endpoint import EndpointLimit, EndpointSpec
from ratchet.recipe.recipe import dump_recipe, parse_recipe
from ratchet.workspace.finished import key_of

SPEC = PolicySpec(trials=3, folds=2)
NAMED: list[set[str]] = []


def share_of_named(right: Any, given: Any) -> float:
    NAMED.append({*map(str, right.tolist())})
    return float((right == given).mean())


def test_policies_are_drawn_by_seed_with_the_defaults_first() -> None:
    drawn = policies_of(PolicySpec(trials=6, filters=AugmentFilters(label=0.3)), seed=4)
    assert len(drawn) == len({policy.model_dump_json() for policy in drawn}) == 6
    assert drawn[0] == EdaSpec(filters=AugmentFilters(label=0.3))
    assert {policy.filters.label for policy in drawn} == {0.3}
    assert drawn == policies_of(PolicySpec(trials=6, filters=AugmentFilters(label=0.3)), seed=4)
    assert drawn != policies_of(PolicySpec(trials=6, filters=AugmentFilters(label=0.3)), seed=5)
    named = PolicySpec(policies=(EdaSpec(copies=3), EdaSpec(alpha=0.3)))
    assert policies_of(named, seed=4) == named.policies


def test_an_unknown_augmenter_is_named(tmp_path: Path, parted: Callable[..., PartedRows]) -> None:
    with pytest.raises(RatchetError, match=r"An augmenter of a policy must be .*edda"):
        Policies().require(PolicySpec(of=("edda",)), parted())
    with pytest.raises(RecipeError, match=r"policies\.0\.kind .* must be one of eda"):
        parse_recipe("challengers: [{kind: augment, policies: [{kind: edda}]}]", folder=tmp_path)
    with pytest.raises(RecipeError, match=r"alpha .* must be less than or equal to 0\.5"):
        parse_recipe("challengers: [{kind: augment, policies: [{kind: eda, alpha: 3}]}]", folder=tmp_path)


def test_named_policies_are_written_and_read_again(tmp_path: Path) -> None:
    made = parse_recipe(
        "augment: [{kind: augment, policies: [{kind: eda, alpha: 0.2}, {kind: eda, filters: {label: 0.1}}]}]",
        folder=tmp_path,
    )
    assert made.augment[0].policies[0] == EdaSpec(alpha=0.2)  # type: ignore[attr-defined]
    assert parse_recipe(dump_recipe(made), folder=tmp_path) == made


def test_the_best_policy_makes_the_rows_and_the_card_tells_the_search(parted: Callable[..., PartedRows]) -> None:
    rows = parted()
    seen, out = held(rows, 0)
    made = [Policies().material(SPEC, Changing(rows=rows, seed=1), seen, held_out=out) for _ in range(2)]
    assert made[0].texts == made[1].texts
    assert made[0].counts == made[1].counts
    (record,) = made[0].counts["policy_studies"]  # type: ignore[misc]
    assert isinstance(record, dict)
    best = record["policies"][record["best"]]
    assert {len(scores) for scores in record["scores"]} <= {1, 2}
    assert len(made[0].texts) <= len(seen) * best["copies"]
    json.dumps(summed([made[0].counts, made[1].counts]))


def test_nothing_that_is_judged_is_seen_by_the_search(
    parted: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither trained on nor come near: every material of a trial has the rows of the fold among those held out."""
    rows = parted()
    seen, out = held(rows, 1)
    asked: list[tuple[set[int], set[int]]] = []
    material = policies.Augmented.material

    def spy(self: Any, spec: Any, changing: Any, seen: Any, *, held_out: Any, labeller: Any = None) -> Any:
        asked.append(({*seen.tolist()}, {*held_out.tolist()}))
        return material(self, spec, changing, seen, held_out=held_out, labeller=labeller)

    monkeypatch.setattr(policies.Augmented, "material", spy)
    Policies().material(SPEC, Changing(rows=rows, seed=1), seen, held_out=out)
    assert len(asked) == 3 + 2 * 1 + 1
    for trained, unseen in asked:
        assert trained <= {*seen.tolist()}
        assert {*out.tolist()} <= unseen
        assert not trained & unseen


def test_a_metric_of_the_users_own_is_asked_with_the_names_of_the_labels(parted: Callable[..., PartedRows]) -> None:
    metric = f"{__name__}:share_of_named"
    rows = replace(parted(), metrics=(metric,))
    seen, out = held(rows, 0)
    NAMED.clear()
    Policies().material(SPEC, Changing(rows=rows, seed=1), seen, held_out=out)
    assert {name for names in NAMED for name in names} == {*rows.labels}


def test_a_killed_search_goes_on(
    parted: Callable[..., PartedRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = parted()
    seen, out = held(rows, 0)
    whole = Policies().material(SPEC, Changing(rows=rows, seed=1, folder=tmp_path / "whole"), seen, held_out=out)
    score, left = policies._Search._score, [2]

    def dying(self: Any, policy: Any, step: int) -> float:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return score(self, policy, step)

    monkeypatch.setattr(policies._Search, "_score", dying)
    changing = Changing(rows=rows, seed=1, folder=tmp_path / "made")
    with pytest.raises(KeyboardInterrupt):
        Policies().material(SPEC, changing, seen, held_out=out)
    left[0] = 3 + 2 * 1 + 2 - 2  # what the search has not scored yet, and no more
    again = Policies().material(SPEC, changing, seen, held_out=out)
    assert left[0] == 0
    assert again.counts == whole.counts
    assert again.texts == whole.texts


def test_a_policy_that_makes_nothing_does_not_win(parted: Callable[..., PartedRows]) -> None:
    rows = parted()
    seen, out = held(rows, 0)
    nothing = EdaSpec(filters=AugmentFilters(meaning=1.0))
    spec = PolicySpec(policies=(nothing, EdaSpec(copies=2)), folds=2)
    made = Policies().material(spec, Changing(rows=rows, seed=1), seen, held_out=out)
    (record,) = made.counts["policy_studies"]  # type: ignore[misc]
    assert isinstance(record, dict)
    assert record["best"] == 1
    assert record["scores"][0] == []
    assert np.isfinite(record["best_score"])


def test_a_policy_that_makes_nothing_is_below_any_score_and_the_bar_counts_policies(
    parted: Callable[..., PartedRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, said = parted(), list[str]()
    seen, out = held(rows, 0)
    spec = PolicySpec(policies=(EdaSpec(), EdaSpec(copies=2)), folds=2)
    scores = {1: policies.NOTHING, 2: -5e9}
    monkeypatch.setattr(policies._Search, "_score", lambda self, policy, step: scores.get(policy and policy.copies, -1))
    changing = Changing(
        rows=rows, seed=1, folder=tmp_path / "made", advance=lambda done, total, about: said.append(about)
    )
    for _ in range(2):  # the second search reads what the first one wrote
        (record,) = Policies().material(spec, changing, seen, held_out=out).counts["policy_studies"]  # type: ignore[misc]
        assert isinstance(record, dict)
        assert (record["best"], record["best_score"]) == (1, -5e9)
    assert {*said} >= {"policy 1 of 2, fold 1", "policy 2 of 2, fold 1", "no policy, fold 1"}
    assert not [about for about in said if "policy 0" in about]
    scores[2] = policies.NOTHING
    with pytest.raises(NothingMade, match="A policy must make rows that may be trained on but none of 2 does"):
        Policies().material(spec, replace(changing, folder=None), seen, held_out=out)


def test_a_limit_of_a_policys_endpoint_names_no_other_search_and_another_table_does(
    parted: Callable[..., PartedRows], tmp_path: Path
) -> None:
    rows, table = parted(), tmp_path / "words.txt"
    seen, out = held(rows, 0)

    def named(limit: int) -> tuple[str, str]:
        asked = EndpointSpec(url="http://127.0.0.1:1/v1", model="m", limit=EndpointLimit(requests=limit))
        spec = PolicySpec(policies=(GenerateSpec(endpoint=asked), EdaSpec(synonyms=str(table))), folds=2)
        search = policies._Search.of(spec, Changing(rows=rows, seed=1), seen, out)
        return search.key, key_of(Policies().named_by(spec))

    table.write_text("big large\n", encoding="utf-8")
    first = named(3)
    assert named(5) == first
    table.write_text("big huge\n", encoding="utf-8")
    assert all(new != old for new, old in zip(named(3), first, strict=True))


def test_every_address_and_remark_of_its_policies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    first = EndpointSpec(url="http://127.0.0.1:1/v1", model="m", key="FIRST_KEY")
    second = EndpointSpec(url="http://127.0.0.1:2/v1", model="m")
    made = [
        GenerateSpec(endpoint=first),
        EdaSpec(),
        GenerateSpec(endpoint=second),
        GenerateSpec(endpoint=second, shots=2),
    ]
    told = str(Policies().sends_to(PolicySpec(policies=tuple(made))))
    assert told == "http://127.0.0.1:1/v1, with the key in FIRST_KEY, and to http://127.0.0.1:2/v1"
    assert Policies().sends_to(PolicySpec()) is None
    monkeypatch.setattr(Eda, "remark", lambda self, spec: f"words from {spec.synonyms}.")
    policies_named = (EdaSpec(), EdaSpec(copies=2), EdaSpec(synonyms="none"))
    assert Policies().remark(PolicySpec(policies=policies_named)) == "words from context. words from none."


def test_each_policy_has_its_own_limit_at_one_address() -> None:
    def asked(requests: int) -> EndpointSpec:
        return EndpointSpec(url="http://127.0.0.1:1/v1", model="m", limit=EndpointLimit(requests=requests))

    making = Making(seed=1)
    assert making.purse(asked(1)).take(0.0)
    assert not making.purse(asked(1)).take(0.0), "the folds of one policy share it"
    assert [making.purse(asked(2)).take(0.0) for _ in range(3)] == [True, True, False]
