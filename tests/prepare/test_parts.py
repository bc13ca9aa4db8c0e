from __future__ import annotations

from tests.prepare.sentences import dataset, labelled

from ratchet.prepare.parts import seal
from ratchet.prepare.split import split
from ratchet.recipe.sections import SplitConfig


def test_another_seed_gives_other_parts_and_other_contents_another_hash() -> None:
    table = labelled({"a": 60, "b": 40})
    one, same, other = (split(table, config=SplitConfig(), seed=seed) for seed in (1, 1, 2))
    assert (one.hash, one.fold.tolist()) == (same.hash, same.fold.tolist())
    assert one.hash != other.hash
    assert (one.fold != other.fold).mean() > 0.5
    changed = dataset(table.texts, [*table.labels[:-1], "a"])
    assert split(changed, config=SplitConfig(), seed=1).hash != one.hash


def test_the_seal_changes_with_any_test_cell_and_with_no_other() -> None:
    table = labelled({"a": 60, "b": 40})
    parts = split(table, config=SplitConfig(), seed=1)
    before = seal(parts, table)
    for row, same in ((int(parts.test[0]), False), (int(parts.train[0]), True)):
        labels = list(table.labels)
        labels[row] = "c"
        assert (seal(parts, dataset(table.texts, labels)) == before) is same
