"""An augmenter as a challenger: its filters are asked, and a challenger of nothing new is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.augment.augmenter import Augmenter
from ratchet.augment.eda import Eda
from ratchet.augment.generate import Generate
from ratchet.augment.masked import Masked
from ratchet.augment.noise import Noise
from ratchet.augment.translate import Translate
from ratchet.contenders import augmented, pseudo
from ratchet.contenders.augmented import Augmented
from ratchet.contenders.base import Contender
from ratchet.contenders.change import Changing
from ratchet.contenders.kind import Training
from ratchet.contenders.labeller import Learner
from ratchet.contenders.linear import Linear
from ratchet.contenders.material import NothingMade, held
from ratchet.contenders.policies import Policies
from ratchet.contenders.refit import changed
from ratchet.contenders.rows import Near, PartedRows
from ratchet.models.inputs import Inputs
from ratchet.recipe.augment import AugmentFilters, AugmentKeys, EdaSpec, PolicySpec
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import LinearSpec
from ratchet.workspace.finished import key_of

EDA = Augmented(Eda())


def test_the_label_and_the_meaning_are_asked(parted: Callable[..., PartedRows], tmp_path: Path) -> None:
    rows = parted()
    seen, out = held(rows, 0)
    changing = Changing(rows=rows, seed=1, folder=tmp_path / "made")
    plain = EDA.material(EdaSpec(), changing, seen, held_out=out)
    filters = AugmentFilters(label=0.5, meaning=0.9)
    strict = EDA.material(EdaSpec(filters=filters), changing, seen, held_out=out)
    rejected: Any = strict.counts["rejected"]
    assert rejected["label"] > 0
    assert rejected["meaning"] > 0
    assert {*strict.texts} < {*plain.texts}
    assert len(strict.texts) + rejected["label"] + rejected["meaning"] == len(plain.texts)
    lines = [json.loads(line) for line in (tmp_path / "made" / "fold-0.jsonl").read_text("utf-8").splitlines()]
    assert [line["text"] for line in lines] == list(strict.texts)
    again = EDA.material(EdaSpec(filters=filters), changing, seen, held_out=out)
    assert again.texts == strict.texts


def test_vectors_of_an_encoder_measure_the_meaning(
    parted: Callable[..., PartedRows], checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opposite(model: Any, texts: Any) -> Any:
        """The vectors of all that was not in the table point the other way."""
        known = {*rows.dataset.texts}
        made = np.zeros((len(texts), len(model.labels)), np.float32)
        made[:, 0] = [1.0 if text in known else -1.0 for text in texts]
        return made

    rows = parted()
    seen, out = held(rows, 0)
    monkeypatch.setattr("ratchet.train.embedding._run", opposite)
    filters = AugmentFilters(meaning=0.5, vectors=str(checkpoint()))
    EDA.require(EdaSpec(filters=filters), rows)
    with pytest.raises(NothingMade, match=r"all \d+ were rejected \(.*meaning\)"):
        EDA.material(EdaSpec(filters=filters), Changing(rows=rows, seed=1, store=tmp_path), seen, held_out=out)


def test_a_champion_that_takes_long_labels_by_its_kept_model_of_the_fold(
    parted: Callable[..., PartedRows], training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = parted()
    made = training(rows)
    folder = made.store / "champion"
    folder.mkdir(parents=True)
    Linear().train(folder, LinearSpec(), made)
    champion = Contender.load(folder)
    asked: list[Path] = []
    load = pseudo.load_model_folder
    monkeypatch.setattr(
        pseudo, "load_model_folder", lambda path, *rest, **more: (asked.append(path), load(path, *rest, **more))[1]
    )
    changing = Changing(rows=rows, seed=1, champion=champion, store=made.store)
    texts = Inputs(["my card is late", "the exchange rate"])
    for fold in (0, 3):
        seen, out = held(rows, fold)
        found = pseudo._kept(changing, texts, seen, held_out=out)
        assert found is not None
        assert asked[-1] == champion.fold_model(fold)
        fresh = Learner.of(changing).fitted(changing, rows.apart(seen, np.zeros(0, np.int64))).predict(texts)
        assert np.allclose(found[0], fresh, atol=1e-4), "the model that saw the other folds"
        assert found[1] > 0
    chooser = rows.parts.dev[::10]
    assert pseudo._kept(changing, texts, np.setdiff1d(rows.parts.dev, chooser), held_out=chooser) is not None
    assert asked[-1] == champion.fold_model(champion.folds[0]), "rows that choose an epoch are no fold"
    seen, out = held(rows, 3)
    apart = replace(changing, rows=rows.apart(seen, out))
    assert pseudo._kept(apart, texts, seen, held_out=out) is not None
    assert asked[-1] == champion.fold_model(3), "in the parts of a curve too"
    assert pseudo._kept(apart, texts, seen[::2], held_out=out) is None, "it saw more than the share of a curve"
    champion.forget_folds()
    assert pseudo._kept(changing, texts, seen, held_out=out) is None
    earlier = Contender(folder=folder, card={**champion.card, "facts": {**champion.facts, "left_out": 0}})
    assert pseudo._kept(replace(changing, champion=earlier), texts, seen, held_out=out) is None


@pytest.mark.parametrize(
    ("augmenter", "keys"),
    [
        (Masked(), {"source": "first"}),
        (Generate(), {"source": "first"}),
        (Generate(), {"source": "first/m.gguf"}),
        (Translate(), {"forward": "first", "backward": "second"}),
        (Translate(), {"forward": "second", "backward": "first"}),
        (Noise(), {"sounds": "first/vocab.txt"}),
        (Eda(), {"synonyms": "first/vocab.txt"}),
        (Eda(), {"filters": {"meaning": 0.5, "vectors": "first"}}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_replaced_files_are_another_challenger(augmenter: Augmenter[Any], keys: dict[str, Any], tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for name in ("model.safetensors", "m.gguf", "vocab.txt"):
            (tmp_path / folder / name).write_text(f"{folder}: {name}")
    text = json.dumps({"augment": [{"kind": augmenter.name, **keys}]})
    (spec,) = parse_recipe(text, folder=tmp_path).augment
    assert isinstance(spec, AugmentKeys)
    many = PolicySpec(policies=(EdaSpec(copies=2), spec))

    def keys_of() -> tuple[str, str, str]:
        drawn = Policies().named_by(PolicySpec(filters=spec.filters))
        return key_of(Augmented(augmenter).named_by(spec)), key_of(Policies().named_by(many)), key_of(drawn)

    first = keys_of()
    assert keys_of() == first
    for name in ("model.safetensors", "m.gguf", "vocab.txt"):
        (tmp_path / "first" / name).write_text("replaced")
    again = keys_of()
    assert again[0] != first[0]
    assert again[1] != first[1]
    assert (again[2] != first[2]) == bool(spec.filters.vectors)


def test_the_card_tells_what_the_rows_were_made_with(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    made = training(parted(), kind="eda")
    Linear().train(made.store / "made", LinearSpec(), changed({"made_by": {"kind": "eda"}}, made))
    assert Contender.load(made.store / "made").facts["made_with"] == [{"synonyms": "context"}] * 5


def test_what_a_refit_is_trained_on_is_written_beside_what_the_folds_were(
    parted: Callable[..., PartedRows], tmp_path: Path
) -> None:
    rows = parted()
    changing = Changing(rows=rows, seed=1, folder=tmp_path / "made")
    seen, out = held(rows, 3)
    for chooser, apart in ((seen[:9], seen[9:]), (rows.parts.dev[3:9], rows.parts.dev[9:])):
        of_fold = len(apart) + len(chooser) == len(seen)
        held_out = np.concatenate([out, chooser]) if of_fold else chooser
        EDA.material(EdaSpec(), changing, apart, held_out=held_out)
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["all.jsonl", "fold-3.jsonl"]


def test_what_a_near_copy_is_says_the_recipe(
    parted: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = replace(parted(), near=Near(threshold=0.9, ngram=2))
    seen, out = held(rows, 3)
    asked: list[dict[str, Any]] = []
    near_to = augmented.near_to
    monkeypatch.setattr(augmented, "near_to", lambda texts, **how: (asked.append(how), near_to(texts, **how))[1])
    EDA.made(EdaSpec(), Changing(rows=rows, seed=1), seen, held_out=out)
    assert asked == [{"threshold": 0.9, "ngram": 2}]
