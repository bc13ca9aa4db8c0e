"""The champion of earlier rows is scored only on rows that it cannot know."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.conftest import Table, generate

from ratchet.compress.compressor import compressors
from ratchet.contenders.base import Contender
from ratchet.contenders.incumbent import defend, texts_made, trained_in
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.refit import changed
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, RatchetError
from ratchet.recipe.sections import LinearFeatures, LinearSpec
from ratchet.tables.dataset import Dataset

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]
SPEC = LinearSpec(features=(LinearFeatures(unit="word", high=1),), C=5)


@pytest.fixture
def old(parted: Parted, training: Trained) -> Contender:
    made = training(parted(), name="old")
    Linear().train(made.store / "old", SPEC, made)
    return Contender.load(made.store / "old")


def dataset(table: Table, texts: list[str], labels: list[str]) -> Dataset:
    return table({"text": texts, "label": labels})


def test_rows_that_it_knows_are_left_out(parted: Parted, old: Contender, table: Table) -> None:
    rows = parted(key="later")
    compared = rows.parts.compared
    known = rows.texts(compared[:20])
    before = dataset(table, [*known, *generate(10, seed=99)[0]], ["card"] * 30)
    folder = old.folder.parent / "incumbent"
    defend(folder, rows, name="old (before)", of=old, trained_on=before)
    found = Contender.load(folder)
    copies = {row for row in compared.tolist() if rows.dataset.texts[row] in known}
    assert not copies & set(found.rows.tolist())
    assert found.facts["left_out"] == len(compared) - len(found.rows) >= 20
    np.testing.assert_allclose(found.answers, old.model().predict(rows.texts(found.rows)), atol=1e-6)
    assert (found.name, found.facts["of"], found.runtime) == ("old (before)", "old", "linear")
    assert found.card["spec"] == old.card["spec"]


def test_it_is_refused_where_it_knows_every_row(parted: Parted, old: Contender) -> None:
    rows = parted(key="later")
    with pytest.raises(DataError, match=r"'old' was trained on copies of all 150 rows, so it cannot be scored"):
        defend(old.folder.parent / "x", rows, name="old (before)", of=old, trained_on=rows.dataset)


def test_in_time_order_only_later_rows_count(parted: Parted, old: Contender, table: Table) -> None:
    rows = parted(order="time")
    days = [f"2026-01-{n % 28 + 1:02}" for n in range(len(rows.dataset))]
    timed = rows.dataset.table.append_column("day", pa.array(days))
    roles = replace(rows.dataset.roles, time="day")
    rows = replace(rows, dataset=replace(rows.dataset, table=timed, roles=roles))
    before = table({"text": ["quite other words"] * 2, "label": ["card"] * 2, "day": ["2026-01-20", "2026-01-02"]})
    before = replace(before, roles=replace(before.roles, time="day"))
    defend(old.folder.parent / "timed", rows, name="old (before)", of=old, trained_on=before)
    found = Contender.load(old.folder.parent / "timed").rows.tolist()
    assert found == [row for row in rows.parts.compared.tolist() if days[row] > "2026-01-20"]
    assert found


def test_what_it_was_trained_on_is_that_of_its_origin(old: Contender) -> None:
    assert trained_in(old) == ["rows", 0]
    copied = Contender(folder=old.folder, card={**old.card, "facts": {"trained": ["rows-before", 3]}})
    assert trained_in(copied) == ["rows-before", 3]


def test_its_smaller_form_is_judged_on_the_same_rows(
    parted: Parted, training: Trained, old: Contender, table: Table
) -> None:
    rows = parted(key="later")
    known = rows.texts(rows.parts.compared[:20])
    store = old.folder.parent
    defend(store / "before", rows, name="old (before)", of=old, trained_on=dataset(table, known, ["card"] * 20))
    of = Contender.load(store / "before")
    made = training(rows, name="small", kind="int8", facts={"of": of.name, "of_key": "before"})
    Linear().compress(store / "small", compressors()["int8"], of, made)
    small = Contender.load(store / "small")
    np.testing.assert_array_equal(small.rows, of.rows)
    assert trained_in(small) == trained_in(of) == ["rows", 0]


def test_rows_that_its_row_change_made_or_took_are_left_out_too(
    parted: Parted, training: Trained, table: Table
) -> None:
    texts, labels = generate(len(parted().dataset), seed=77)
    later = replace(parted(key="later"), dataset=dataset(table, texts, labels))
    known = later.texts(later.parts.compared[:40])
    before = replace(parted(), unlabelled=table({"text": [f"{text}!" for text in known]}))
    made = training(before, name="old", kind="pseudo")
    facts = {"made_by": {"kind": "pseudo", "confidence": 0.01, "cap": None}}
    Linear().train(made.store / made.key, SPEC, changed(facts, replace(made, facts=facts)))
    of, other = Contender.load(made.store / made.key), dataset(table, ["quite other words"], ["card"])
    taken = set(texts_made(of))
    assert taken
    defend(made.store / "before", later, name="old (before)", of=of, trained_on=other)
    found = Contender.load(made.store / "before")
    asked = {f"{text}!" for text in later.texts(found.rows)}
    assert not taken & asked
    assert found.facts["left_out"] >= len(taken)
    small = training(later, name="small", kind="int8", facts={"of": found.name, "of_key": "before"})
    Linear().compress(made.store / "small", compressors()["int8"], found, small)
    assert texts_made(Contender.load(made.store / "small")) == texts_made(of)
    with (made.store / "made" / made.key / "fold-0.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"text": "one\u2029two"}\n')
    assert texts_made(of)[-1] == "one\u2029two"
    shutil.rmtree(made.store / "made")
    with pytest.raises(DataError, match=r"fold-0\.jsonl is gone, so nobody knows what 'old' was trained on"):
        defend(made.store / "again", later, name="old (before)", of=of, trained_on=other)


def test_models_of_folds_that_were_removed_are_said(parted: Parted, training: Trained, old: Contender) -> None:
    made = training(parted(), name="small", kind="int8")
    old.forget_folds()
    with pytest.raises(RatchetError, match="'old' must have the models of all its folds"):
        Linear().compress(old.folder.parent / "small", compressors()["int8"], old, made)
